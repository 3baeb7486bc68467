//! The shape that outcome recipes share: shaped reward, group statistics, returns, whitening.

use meed_operators::Result;
use meed_operators::credit::{
    Center, Credit, Expr, Norm, Scale, Scope, Statistic, aggregate, mean, normalize, signal, std,
};

use crate::parameters::{Parameter, Parameters};
use crate::parts::divergence::{self, Into, Penalty};
use crate::parts::norm::{norm, peers};
use crate::parts::returns::{passing, token_rewards};
use crate::parts::reward::{clip, in_baseline, reward};
use crate::parts::whitening::{WHITEN_OFF, whitened};

/// The groups of parameters of an outcome recipe.
pub const OUTCOME: &[&[Parameter]] = &[
    crate::parts::norm::PRESET,
    crate::parts::norm::NORM,
    crate::parts::reward::REWARD,
    crate::parts::divergence::DIVERGENCE,
    crate::parts::returns::RETURNS,
    &[WHITEN_OFF],
    crate::parts::whitening::WHITENING,
];

/// `advantage = whiten(return(normalize(reward)))`, with `rewards`, `baseline` and `std` kept.
pub fn outcome(parameters: &Parameters) -> Result<Credit> {
    let norm = norm(parameters, peers(parameters)?)?;
    outcome_with(parameters, norm)
}

/// The same with a given normalisation.
pub fn outcome_with(parameters: &Parameters, norm: Norm) -> Result<Credit> {
    let penalty = divergence::penalty(parameters)?;
    let mut credit = Credit::new();
    if let Some(members) = in_baseline(parameters)? {
        credit = credit.in_baseline(members);
    }
    credit = credit.define("score", reward(parameters, penalty.as_ref())?);
    let score = || signal("score");
    let (baseline, deviation) = parts(score(), &norm);
    if let Some(baseline) = baseline {
        credit = credit.define("baseline", baseline);
    }
    if let Some(deviation) = deviation {
        credit = credit.define("std", deviation);
    }
    let mut rewards = normalize(score(), &norm);
    if !parameters.is_null("reward_clip_where") {
        rewards = clip(parameters, rewards)?;
    }
    credit = credit.define("rewards", rewards);
    let (credit, advantage) = returned(parameters, credit, signal("rewards"), penalty.as_ref())?;
    Ok(credit.advantage(whitened(parameters, advantage)?))
}

/// What a normalisation subtracts and divides by, to be kept beside the advantage. The only member
/// of a group has its own value as baseline and deviation 0.
fn parts(score: Expr, norm: &Norm) -> (Option<Expr>, Option<Expr>) {
    let once = |statistic: Expr| match &norm.once_per {
        Some(key) => statistic.once_per(key.clone()),
        None => statistic,
    };
    let variance = Statistic::Variance { ddof: norm.ddof };
    let baseline = match &norm.center {
        Center::Mean(by) => Some(once(mean(score.clone(), by.clone()))),
        Center::LeaveOneOut(by) if by.scope != Scope::Batch => {
            Some(once(mean(score.clone(), by.clone()).of_others()).or_else(score.clone()))
        }
        _ => None,
    };
    let deviation = match &norm.scale {
        Scale::Std(by) => Some(once(std(score, by.clone(), norm.ddof))),
        Scale::LeaveOneOutStd(by) => {
            Some(once(aggregate(variance, score, by.clone()).of_others()).sqrt().or_else(0.0))
        }
        _ => None,
    };
    (baseline, deviation)
}

/// Discounted returns of a rollout-level reward. Without discount or penalty the return of every token
/// is the reward itself, which is not written out once more.
fn returned(
    parameters: &Parameters,
    credit: Credit,
    score: Expr,
    penalty: Option<&Penalty>,
) -> Result<(Credit, Expr)> {
    let gamma = parameters.number("gamma")?;
    let dense = penalty.is_some_and(|penalty| matches!(penalty.into, Into::Reward | Into::EveryReward));
    let ends_elsewhere = parameters.text("reward_at")?.starts_with("last token of the response");
    let passing = passing(parameters)?;
    if gamma == 1.0 && !dense && !ends_elsewhere && passing == crate::parts::returns::Passing::Carry {
        let advantage = match penalty {
            Some(penalty) if penalty.into == Into::Advantage => score - penalty.tokens.clone(),
            _ => score,
        };
        return Ok((credit, advantage));
    }
    let rewards = token_rewards(parameters, score, penalty)?;
    let credit = credit.returns(passing.return_to_go(rewards, gamma));
    let advantage = match penalty {
        Some(penalty) if penalty.into == Into::Advantage => signal("returns") - penalty.tokens.clone(),
        _ => signal("returns"),
    };
    Ok((credit, advantage))
}

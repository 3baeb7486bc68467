//! REINFORCE: discounted returns of token rewards or of the outcome reward, without a baseline.

use meed_operators::credit::{Credit, Expr, all, if_present, signal, trainable, when};

use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::divergence::{self, DIVERGENCE, Into};
use crate::parts::norm::PRESET;
use crate::parts::returns::{RETURNS, passing, token_rewards};
use crate::parts::reward::{REWARD, reward};
use crate::parts::whitening::{WHITEN_OFF, WHITENING, whitened};
use crate::recipe::{Fidelity, Kind, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter(
        "whiten_rewards",
        "none",
        "none, or batch_tokens: token rewards are whitened over the batch first",
    ),
    parameter("advantage_clip", "null", "advantages are clipped to plus and minus this"),
    parameter("segment", "null", "null, or: discount once per maximal run of trainable tokens"),
    parameter("segment_reward", "null", "which reward a segment has: that of its last token"),
];

/// REINFORCE: `A_t = sum_k gamma^k r_{t+k}`.
pub const REINFORCE: Recipe = Recipe {
    name: "reinforce",
    title: "discounted return of the token rewards, or of the outcome reward at the last token",
    citation: "Williams 1992",
    family: "baselines",
    kind: Kind::Advantage,
    objective: ("reinforce", &[]),
    formula: "A_t = sum_k gamma^k r_{t+k}",
    fidelity: Fidelity::Reference,
    deviations: "an outcome reward lands on the last trainable token, where ROLL loses it if the last token is an observation",
    inputs: &[],
    parameters: &[PRESET, PARAMETERS, REWARD, DIVERGENCE, RETURNS, &[WHITEN_OFF], WHITENING],
    plan: |parameters| Ok(dense(parameters)?.into()),
};

/// Token rewards of the data where it has them, else the outcome reward on its token; less the
/// penalty on the divergence.
pub fn dense_rewards(parameters: &Parameters) -> meed_operators::Result<Expr> {
    let penalty = divergence::penalty(parameters)?;
    let outcome = token_rewards(parameters, reward(parameters, penalty.as_ref())?, penalty.as_ref())?;
    let given = match &penalty {
        Some(penalty) if penalty.into == Into::Reward => {
            signal("token_rewards") - when(meed_operators::credit::mask(), penalty.tokens.clone(), 0.0)
        }
        Some(penalty) if penalty.into == Into::EveryReward => {
            signal("token_rewards") - penalty.tokens.clone()
        }
        _ => signal("token_rewards"),
    };
    Ok(if_present(given, outcome))
}

/// The program of REINFORCE and REINFORCE++.
pub fn dense(parameters: &Parameters) -> meed_operators::Result<Credit> {
    let gamma = parameters.number("gamma")?;
    let penalty = divergence::penalty(parameters)?;
    let mut rewards = dense_rewards(parameters)?;
    match parameters.text("whiten_rewards")? {
        "" | "none" => {}
        "batch_tokens" => rewards = whitened(parameters, rewards)?,
        _ => return Err(parameters.unknown("whiten_rewards", &["none", "batch_tokens"])),
    }
    let credit = Credit::new().define("token_rewards", rewards);
    let passing = passing(parameters)?;
    let returns = match parameters.text("segment")? {
        "" => passing.return_to_go(signal("token_rewards"), gamma),
        "maximal run of trainable tokens" => by_segment(gamma),
        _ => return Err(parameters.unknown("segment", &["maximal run of trainable tokens"])),
    };
    let credit = credit.returns(returns);
    let mut advantage = match &penalty {
        Some(penalty) if penalty.into == Into::Advantage => signal("returns") - penalty.tokens.clone(),
        _ => signal("returns"),
    };
    advantage = whitened(parameters, advantage)?;
    if let Some(bound) = parameters.optional_number("advantage_clip")? {
        advantage = advantage.clamp(-bound, bound);
    }
    Ok(credit.advantage(advantage))
}

/// One return per maximal run of trainable tokens, discounted once per run; a run's reward is that
/// of its last token.
fn by_segment(gamma: f64) -> Expr {
    use meed_operators::credit::{mask, value};
    let no = || value(1.0).equals(0.0);
    let follows = mask().shift(-1, Some(no())).over(all());
    let last = mask().and(follows.negated());
    let inside = trainable().only(last.clone());
    let at_last = signal("token_rewards").recur(gamma).over(inside);
    when(last, at_last, 0.0).recur(when(mask().shift(-1, Some(no())).over(all()), 1.0, 0.0)).over(trainable())
}

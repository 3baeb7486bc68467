//! iStar's implicit process reward model: preference between the right and the wrong rollouts of a group.

use meed_operators::objectives::preference::{
    PairLoss, Scores, better_against_worse, logistic, of_pairs, preferred, softplus,
};

use crate::objectives::NamedObjective;
use crate::objectives::parts::function::function;
use crate::parameters::parameter;

/// `L = -log sigmoid(Q_u - Q_v)`, mean over every two rollouts of a group with rewards `u > v`, with
/// `Q = beta sum_t (logp_t - old_t)` divided by the rollout's number of policy steps (the signal
/// `policy_steps`, one per rollout). Without a pair it is 0.
///
/// The output `scores` has `Q` per rollout.
pub const ISTAR: NamedObjective = NamedObjective {
    name: "istar",
    title: "the loss of iStar's implicit process reward model",
    citation: "Online Process Reward Learning for Agentic RL (iStar), 2025, arXiv 2509.19199",
    formula: "-log sigmoid(Q_u - Q_v), Q = mean over steps of beta sum (logp - old)",
    parameters: &[&[
        parameter("beta", "0.05", "scale of log-ratios"),
        parameter("score", "mean", "mean over the rollout's policy steps, or their sum (the paper)"),
    ]],
    build: |parameters| {
        let beta = parameters.number("beta")?;
        let mean = match parameters.text("score")? {
            "mean" => true,
            "sum" => false,
            _ => return Err(parameters.unknown("score", &["mean", "sum"])),
        };
        Ok(function("istar", move |columns| {
            let old = columns.needed(&columns.old_logprobs, "token_old_logprobs")?;
            let steps = if mean { Some(columns.rollout_signal("policy_steps")?) } else { None };
            let scale = |rollout: usize| beta / steps.map_or(1.0, |steps| steps[rollout].max(1.0));
            let scores = Scores::weighted(columns, Some(old), |_| 1.0)?
                .map(columns, |rollout, score| (scale(rollout) * score, scale(rollout)));
            let pairs = better_against_worse(columns)?;
            let losses: Vec<PairLoss> = pairs
                .iter()
                .map(|pair| {
                    let margin = scores.values[pair.chosen] - scores.values[pair.rejected];
                    PairLoss::of_margin(1.0, (softplus(-margin), -logistic(-margin)))
                })
                .collect();
            let mut loss = of_pairs(columns, &pairs, &scores, &losses);
            preferred(&mut loss, &pairs, &scores.values);
            loss.outputs.insert("scores".into(), scores.values);
            Ok(loss)
        }))
    },
};

/// See [`super::FIDELITY`].
pub const FIDELITY: &str = "as the code's loss function. In its trainer the log-ratio is detached before \
    it, so that the judge there never learns; here it does. score=sum is the paper's";

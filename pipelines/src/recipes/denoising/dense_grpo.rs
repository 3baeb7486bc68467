//! DenseGRPO: what each denoising step added to the reward of its deterministic completion.

use meed_operators::credit::{group, signal};

use crate::parameters::{Parameter, parameter};
use crate::parts::denoising::{
    COMPLETIONS, FLOW_EPS, STEP_NEXT_SIGMAS, adds_noise, compared_at_step, completion_gain,
};
use crate::parts::steps::judged;
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const PARAMETERS: &[Parameter] = &[parameter(
    "step_reward",
    "gain",
    "gain: what the step added; value: the reward of the completion itself (an ablation, worse in the paper)",
)];

/// DenseGRPO: `A_t = (d_t - mean(d_t)) / (std(d_t) + eps)` over the samples of the prompt, with `d_t` the
/// reward of the completion after step `t` less that of the one before. The gains of a sample add up to its
/// reward less that of its initial noise.
///
/// The sampler's noise levels follow from the signs of `step_gains`:
/// [`calibrated`](meed_operators::objectives::denoising::calibrated).
pub const DENSE_GRPO: Recipe = Recipe {
    name: "dense_grpo",
    title: "gain of each denoising step, compared with the same step of the group",
    citation: "DenseGRPO: From Sparse to Dense Reward for Flow Matching Model Alignment, arXiv 2601.20218",
    family: "denoising",
    objective: ("flow_grpo", &[]),
    formula: "A_t = normalize(R_t - R_(t-1), by(group, step))",
    fidelity: Fidelity::Equations,
    deviations: "guessed: the population deviation and eps, which are Flow-GRPO's",
    inputs: &[COMPLETIONS, &[STEP_NEXT_SIGMAS]],
    parameters: &[PARAMETERS, FLOW_EPS],
    plan: |parameters| {
        let rewarded = match parameters.text("step_reward")? {
            "gain" => signal("step_gains"),
            "value" => signal("step_completion_rewards"),
            _ => return Err(parameters.unknown("step_reward", &["gain", "value"])),
        };
        let credit = judged([signal("step_completion_rewards")]).define("step_gains", completion_gain());
        Ok(credit.advantage(compared_at_step(parameters, rewarded, group())?).weights(adds_noise()).into())
    },
    ..ADVANTAGE
};

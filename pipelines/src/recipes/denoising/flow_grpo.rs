//! Flow-GRPO: the reward of a sample in its group, on every denoising step.

use meed_operators::credit::{Credit, Expr, group, maximum, members, minimum, normalize, rank, signal, when};

use crate::parameters::{Parameter, parameter};
use crate::parts::denoising::{FLOW_EPS, GLOBAL_STD, STEP_NEXT_SIGMAS, adds_noise, flow_norm, spread_of};
use crate::parts::steps::indicator;
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const PARAMETERS: &[Parameter] = &[parameter(
    "weighting",
    "grpo",
    "grpo: normalised in the group; rwr: the reward itself; sft: 1 for the best of the group, else 0; dpo: 1 for the best, -1 for the worst, else 0",
)];

/// Flow-GRPO: `A = (r - mean) / (std + eps)` on every step of the sample, or one of the other weightings of
/// the authors' program.
///
/// The deviation is the population's. The step to noise level 0 adds no noise and is not trained. Under `dpo`
/// a group of equal rewards has its second rollout as the best and its first as the worst, as the program
/// has it; one rollout alone is neither.
pub const FLOW_GRPO: Recipe = Recipe {
    name: "flow_grpo",
    title: "group-relative reward on every denoising step",
    citation: "Liu et al. 2025, Flow-GRPO, arXiv 2505.05470; yifan123/flow_grpo",
    family: "denoising",
    objective: ("flow_grpo", &[]),
    formula: "A_t = (r - mean(r)) / (std(r) + 1e-4)",
    fidelity: Fidelity::Reference,
    deviations: "samples whose advantages are all 0 stay in the batch (they change its mean and its divergence), where the program drops most of them",
    inputs: &[&[STEP_NEXT_SIGMAS]],
    parameters: &[PARAMETERS, FLOW_EPS, GLOBAL_STD],
    plan: |parameters| {
        let reward = || signal("reward");
        let advantage = match parameters.text("weighting")? {
            "grpo" => normalize(reward(), &flow_norm(parameters, group(), spread_of(parameters)?)?),
            "rwr" => reward(),
            "sft" => indicator(reward().equals(maximum(reward(), group()))),
            "dpo" => best_and_worst(),
            _ => return Err(parameters.unknown("weighting", &["grpo", "rwr", "sft", "dpo"])),
        };
        Ok(Credit::new().advantage(advantage).weights(adds_noise()).into())
    },
    ..ADVANTAGE
};

/// 1 for the best rollout of the group, -1 for the worst, of equals the first; 0 elsewhere.
fn best_and_worst() -> Expr {
    let place = |ascending: bool| rank(signal("reward"), group(), ascending);
    let all_equal = maximum(signal("reward"), group()).equals(minimum(signal("reward"), group()));
    let best = when(all_equal, place(true).equals(1.0), place(false).equals(0.0));
    let alone = members(signal("reward"), group()).equals(1.0);
    when(alone, 0.0, indicator(best) - indicator(place(true).equals(0.0)))
}

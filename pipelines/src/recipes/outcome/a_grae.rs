//! A-GRAE: group-relative advantages without their two symmetries, by sign and by difficulty.

use meed_operators::Result;
use meed_operators::credit::{Credit, Expr, ZeroStd, batch, group, mean, normalize, signal, when};

use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::group::{GROUP, group_norm};
use crate::recipe::{Fidelity, Plan, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter("variant", "a_grae", "a_grae, or a control: negative_dominant, hard_focused, easy_focused"),
    parameter("alpha", "1.0", "mean reward of the batch from which positive advantages count in full"),
    parameter("beta", "10", "negative_dominant: positive advantages are divided by it"),
    parameter("gamma", "0.5", "hard_focused and easy_focused: the factor of the advantage"),
    GROUP[0],
    parameter("ddof", "0", "delta degrees of freedom of the deviation: 1 sample, 0 population"),
    parameter("eps", "0", "added to the deviation"),
    GROUP[3],
];

/// A-GRAE: `A' = w/2 A / sqrt(p) + (1-w)/2 A / sqrt(1-p)` with the batch's mean reward `w`, the
/// group's success rate `p` and the group-relative advantage `A`; then `A' min(1, w / alpha)` where it
/// is positive.
///
/// fidelity: reconstructed. The paper's displayed equation is garbled in its text layer and was read
/// from its context; the population deviation follows from its theorem `sum |A| = 2 G sqrt(p (1-p))`.
/// Groups of rate 0 or 1 get 0, also where a reward that is not binary leaves them a deviation.
pub const A_GRAE: Recipe = Recipe {
    name: "a_grae",
    title: "group-relative advantage reweighted by difficulty and training state, positive ones held back early",
    citation: "Unveiling Implicit Advantage Symmetry: Why GRPO Struggles with Exploration and Difficulty Adaptation",
    family: "outcome",
    formula: "A' = w/2 A/sqrt(p) + (1-w)/2 A/sqrt(1-p), times min(1, w/alpha) if positive",
    fidelity: Fidelity::Reconstructed,
    deviations: "guessed: the equation's form (its text is garbled), the population deviation without an epsilon, alpha = 1, controls that start from the plain advantage",
    parameters: &[PARAMETERS],
    plan,
    ..crate::recipe::ADVANTAGE
};

fn plan(parameters: &Parameters) -> Result<Plan> {
    let mut norm = group_norm(parameters)?;
    norm.zero_std = ZeroStd::ZeroBelow(0.0);
    let (p, a) = (|| signal("success_rate"), || signal("group_advantage"));
    let credit = Credit::new()
        .define("success_rate", mean(signal("reward"), group()))
        .define("group_advantage", normalize(signal("reward"), &norm));
    let mixed = |advantage: Expr| when(p().greater(0.0).and(p().less(1.0)), advantage, a() * 0.0);
    let (hard, easy) = (a() / p().sqrt(), a() / (1.0 - p()).sqrt());
    let gamma = parameters.number("gamma")?;
    Ok(match parameters.text("variant")? {
        "a_grae" => {
            let state = || signal("batch_reward");
            let weighted = 0.5 * state() * hard + 0.5 * (1.0 - state()) * easy;
            let held_back = (state() / parameters.number("alpha")?).min(1.0);
            let by_difficulty = || signal("difficulty_advantage");
            credit
                .define("batch_reward", mean(signal("reward"), batch()))
                .define("difficulty_advantage", mixed(weighted))
                .advantage(when(by_difficulty().greater(0.0), by_difficulty() * held_back, by_difficulty()))
        }
        "negative_dominant" => {
            credit.advantage(when(a().greater(0.0), a() / parameters.number("beta")?, a()))
        }
        "hard_focused" => credit.advantage(mixed(gamma * hard)),
        "easy_focused" => credit.advantage(mixed(gamma * easy)),
        _ => {
            let known = &["a_grae", "negative_dominant", "hard_focused", "easy_focused"];
            return Err(parameters.unknown("variant", known));
        }
    }
    .into())
}

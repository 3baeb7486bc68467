//! TP-GRPO of flow models: what a step added, and all that follows where a step turns a sample round.

use meed_operators::credit::{Expr, Running, signal, when};

use super::turning_points::{POINTS, balanced, candidates};
use crate::parameters::{Parameter, parameter};
use crate::parts::denoising::{
    COMPLETIONS, FLOW_EPS, GLOBAL_STD, STEP_NEXT_SIGMAS, adds_noise, compared_at_step, completion_before,
    completion_gain, spread_of,
};
use crate::parts::steps::{indicator, judged};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter("eta", "1.0", "weight of the bonus"),
    parameter(
        "main",
        "local_difference",
        "reward of a step: local_difference, or global_difference (of the whole sample)",
    ),
    parameter(
        "bonus",
        "sde_minus_prefix",
        "bonus at a turning point: sde_minus_prefix (all that follows), global_difference; with the global difference as main reward it is the local one",
    ),
    parameter(
        "replace_main",
        "true",
        "a bonus other than 0 takes the place of the main reward; false: adds to it",
    ),
    parameter(
        "propagate",
        "false",
        "a bonus above 0 goes to all later steps too, one below 0 to all earlier ones",
    ),
];

/// TP-GRPO: `r_t = eta (R - R_t)` at a turning point and `R_{t+1} - R_t` elsewhere, compared with the same step
/// of the group. `R_t` is the reward of the deterministic completion before step `t`, `R` that of the sample.
///
/// A step is a turning point where it goes the way that the sample goes as a whole (from `R_0` to `R`), the step
/// before did not, and what follows does too; the first step where it and what follows go the same way.
pub const TURNING_POINT_GRPO: Recipe = Recipe {
    name: "turning_point_grpo",
    title: "what each denoising step added, and all that follows at turning points",
    citation: "Alleviating Sparse Rewards by Modeling Step-Wise and Long-Term Sampling Effects in Flow-Based GRPO, arXiv 2602.06422",
    family: "denoising",
    objective: ("flow_grpo", &[("clip", "1e-5"), ("beta", "1e-4")]),
    formula: "A_t = normalize([turn] eta (R - R_t) or R_{t+1} - R_t, by(group, step))",
    fidelity: Fidelity::Reference,
    deviations: "turning points of equal difference at the cut of the balance are kept in canonical order; the batch is balanced as a whole, where the program balances the batch of each device (balanced_by)",
    inputs: &[COMPLETIONS, &[STEP_NEXT_SIGMAS]],
    parameters: &[PARAMETERS, POINTS, FLOW_EPS, GLOBAL_STD],
    plan: |parameters| {
        let (gain, total) = (|| signal("step_gains"), || signal("sample_gain"));
        let global = match parameters.text("main")? {
            "local_difference" => false,
            "global_difference" => true,
            _ => return Err(parameters.unknown("main", &["local_difference", "global_difference"])),
        };
        let rest = || signal("reward") - completion_before();
        let bonus = match parameters.text("bonus")? {
            _ if global => gain(),
            "sde_minus_prefix" => rest(),
            "global_difference" => total(),
            _ => return Err(parameters.unknown("bonus", &["sde_minus_prefix", "global_difference"])),
        };
        let turns = || signal("step_turns_round");
        let bonus = if parameters.boolean("propagate")? {
            let reached = |rises: Expr| indicator(turns().and(rises)).scan(Running::Sum);
            let times = reached(rest().greater(0.0)) + reached(rest().less(0.0)).backward();
            times * rest()
        } else {
            indicator(turns()) * bonus
        };
        let main = if global { total() } else { gain() };
        let rewards = if parameters.boolean("replace_main")? {
            when(signal("step_bonuses").differs(0.0), signal("step_bonuses"), main)
        } else {
            main + signal("step_bonuses")
        };
        let kept = match parameters.boolean("balanced")? {
            true => balanced(parameters, if global { gain() } else { total() })?,
            false => signal("step_candidates"),
        };
        let credit = judged([signal("step_completion_rewards")])
            .define("step_gains", completion_gain())
            .define("sample_gain", signal("reward") - signal("initial_completion_reward"))
            .define("step_candidates", candidates(parameters)?)
            .define("step_turns_round", kept)
            .define("step_bonuses", parameters.number("eta")? * bonus)
            .define("step_turning_rewards", rewards);
        let advantage = compared_at_step(parameters, signal("step_turning_rewards"), spread_of(parameters)?)?;
        Ok(credit.advantage(advantage).weights(adds_noise()).into())
    },
    ..ADVANTAGE
};

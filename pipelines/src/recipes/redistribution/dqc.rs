//! DQC: targets of a critic of chunks of steps, from which critics of single steps are distilled.

use meed_operators::credit::{Credit, Expr, Running, STEP, policy, signal, value, when};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::steps::{steps_before, truth};
use crate::recipe::{Fidelity, REWARD, Recipe};

const INPUTS: &[Input] = &[
    input(
        "step_goal_reached",
        Of::Flag,
        "whether the step reached the goal, which ends the episode",
        "an environment, on import",
    ),
    input(
        "step_value_logits",
        Of::Number,
        "logit of the value of the state before each step",
        "a value model that is trained with the objective `dqc`",
    ),
];

const PARAMETERS: &[Parameter] =
    &[parameter("gamma", "0.999", "discount per step"), parameter("h", "25", "steps of a chunk")];

/// DQC's target of the chunk that begins at step `t`: `y = gamma^k` where the goal is reached at its offset
/// `k < h`, else `gamma^h sigmoid(V(s_{t+h}))`, clipped to `0..=1`.
///
/// A chunk that the end of the rollout cuts off before the goal has no target (null), nor has one with a step before
/// the goal of which is not known whether it reached it; they are in no loss. `step_goal_offsets` is `k`, null where
/// the goal is not reached. The objective `dqc` has the losses of the chunk critic, of the critic of its first actions
/// that is distilled from it, and of the value. Only policy steps count.
pub const DQC: Recipe = Recipe {
    name: "dqc",
    title: "targets of a critic of action chunks, with a value backup over the whole chunk",
    citation: "Li et al. 2025, Decoupled Q-Chunking, arXiv 2512.10926; ColinQiyangLi/dqc",
    family: "redistribution",
    objective: ("dqc", &[]),
    formula: "y_t = clip(r_h + gamma^h * mask * sigmoid(V(s_{t+h})), 0, 1)",
    fidelity: Fidelity::Equations,
    deviations: "sampling chunks and choosing the best of n are no part of it; a chunk that ends exactly with the rollout has no state after it, and so no target",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let (gamma, h) = (parameters.number("gamma")?, parameters.small("h")?);
        let reached = || signal("step_goal_reached");
        let offset = || signal("step_goal_offsets").or_else(f64::INFINITY);
        let known = || steps_until(reached().is_null()).at_least(offset().min(f64::from(h)));
        let goal = || steps_until(reached().or_else(truth().negated()));
        let ahead = signal("step_value_logits").shift(-i64::from(h), None).sigmoid();
        let target =
            when(offset().less(f64::from(h)), value(gamma).power(offset()), gamma.powi(i32::from(h)) * ahead);
        Ok(Credit::new()
            .define("step_goal_offsets", goal().null_if(goal().equals(f64::INFINITY)))
            .define("step_chunk_targets", target.clamp(0.0, 1.0).null_if(known().and(policy(STEP)).negated()))
            .into())
    },
    ..REWARD
};

/// How many policy steps later it is true first, 0 where it is now; infinite where it never is, null at other steps.
fn steps_until(event: Expr) -> Expr {
    let until = when(event, steps_before(), f64::INFINITY).scan(Running::Min).backward() - steps_before();
    until.null_if(policy(STEP).negated())
}

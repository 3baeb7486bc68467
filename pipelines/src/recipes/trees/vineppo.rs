//! VinePPO: values of prefixes from continuations that were sampled at them.

use meed_operators::credit::{Credit, Running, STEP, gae, signal, trainable, value, when};

use crate::inputs::{Input, Of, input};
use crate::recipe::{ADVANTAGE, Recipe};

const INPUTS: &[Input] = &[input(
    "step_values",
    Of::Number,
    "mean outcome of continuations that the policy sampled from the prefix before the step",
    "a sampler that continues from every step and rewards the results, or an import",
)];

/// VinePPO: `A_i = r_i + V_{i+1} - V_i`, with the outcome as reward of the last step and nothing after it. Values that
/// are missing at the end are those of the rewards that follow, so that their steps have no advantage.
pub const VINEPPO: Recipe = Recipe {
    name: "vineppo",
    title: "difference of Monte Carlo values before and after each step",
    citation: "VinePPO, arXiv 2410.01679; math_episode_generator_with_mc_advantages.py",
    family: "trees",
    formula: "A_i = r_i + V_{i+1} - V_i",
    deviations: "sampling continuations, and the penalty of unfinished ones, are the sampler's",
    inputs: &[INPUTS],
    parameters: &[],
    plan: |_| {
        let known = when(signal("step_values").is_null(), 0.0, value(1.0)).scan(Running::Sum).backward();
        let values = when(known.equals(0.0), signal("reward"), signal("step_values"));
        let credit = Credit::new()
            .define("step_returns", signal("reward").at_last(STEP))
            .define("step_filled_values", values);
        let advantage = gae(signal("step_returns"), signal("step_filled_values"), 1.0, 0.0, trainable());
        Ok(credit.advantage(advantage).into())
    },
    ..ADVANTAGE
};

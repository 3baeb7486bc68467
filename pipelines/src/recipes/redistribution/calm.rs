//! CALM: an auxiliary reward where a step reaches a subgoal for the first time.

use meed_operators::credit::{
    Credit, Level, Reduction, STEP, index, index_within, minimum, rollout, signal, trainable,
};

use super::inputs::STEP_REWARDS;
use crate::inputs::{Input, Of, pairs};
use crate::parameters::{Parameter, parameter};
use crate::parts::steps::indicator;
use crate::recipe::{Fidelity, REWARD, Recipe};

const INPUTS: &[Input] = &[
    STEP_REWARDS,
    pairs(
        "step_subgoal_hits",
        Of::Flag,
        "per step a list with one verdict per subgoal of the task: whether the step reached it; null where the answer could not be parsed",
        "a language model that names the subgoals once and is asked about every step",
    ),
];

const PARAMETERS: &[Parameter] =
    &[parameter("b", "1.0", "reward of a step that reaches a subgoal for the first time")];

/// CALM: `r'_t = r_t + b [some subgoal is reached at t and was not before]`.
///
/// Each subgoal counts once per rollout, at its first step; two subgoals at one step count once. A verdict that
/// could not be parsed says that the subgoal was not reached. Only policy steps count.
pub const CALM: Recipe = Recipe {
    name: "calm",
    title: "reward of the environment plus a bonus for the first step of each subgoal",
    citation: "Pignatelli et al. 2024, Assessing the Zero-Shot Capabilities of LLMs for Action Evaluation in RL, arXiv 2409.12798",
    family: "redistribution",
    formula: "r'_t = r_t + b * [a subgoal is reached at t for the first time]",
    fidelity: Fidelity::Reconstructed,
    deviations: "from the abstract; guessed: b = 1, and that each subgoal counts once per episode",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let hit = || signal("step_subgoal_hits");
        let subgoal = index_within(Level::pair(&STEP, "subgoal"), STEP);
        let at = || index(STEP) + 0.0 * hit();
        let first = minimum(at(), rollout().and(subgoal)).over(trainable().only(hit()));
        let newly = at().equals(first).reduce(STEP, Reduction::Any).empty(0.0);
        let bonus = parameters.number("b")? * indicator(signal("step_new_subgoals"));
        Ok(Credit::new()
            .define("step_new_subgoals", newly)
            .define("step_shaped_rewards", signal("step_rewards") + bonus)
            .into())
    },
    ..REWARD
};

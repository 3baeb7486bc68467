//! Text2Reward: a dense reward that was written as a text, checked before it is used.

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::written::written_program;
use crate::recipe::{Fidelity, REWARD, Recipe};

const RECORD: &str =
    "an environment that records it for each step, on import; or a program that reads other columns";

const INPUTS: &[Input] = &[
    input("step_success", Of::Flag, "whether the task is done at the step", RECORD),
    input("step_distance", Of::Number, "distance to what is to be grasped", RECORD),
    input("step_grasped", Of::Flag, "whether it is grasped", RECORD),
    input("step_height", Of::Number, "how high it is lifted, as a share of the goal's height", RECORD),
];

const PARAMETERS: &[Parameter] = &[parameter(
    "program",
    "shaped_reward = when(step_success, 2.25, 1 - tanh(5 * step_distance) + when(step_grasped, 0.25 + min(step_height, 1), 0))",
    "definitions `name = expression`, one a line or separated by `;`, of which `shaped_reward` is the reward",
)];

/// Text2Reward: `shaped_reward` of a program in the language of credit expressions, as a language model or a person
/// writes it.
///
/// A text that is no program, reads columns that the data lacks or mixes types is refused with its place before
/// anything runs; [`try_reward`](crate::try_reward) runs it on a sample of rollouts first, and a value that
/// is not finite ends that, or any later run, with the rollout that it is of. The default is the paper's lifting
/// task: saturating terms in stages, each behind the gates before it, and a bonus of success that is at least their
/// sum.
pub const TEXT2REWARD: Recipe = Recipe {
    name: "text2reward",
    title: "a dense reward that is given as a program of expressions",
    citation: "Xie et al. 2024, Text2Reward, arXiv 2309.11489; xlang-ai/text2reward",
    family: "redistribution",
    formula: "r_t = 2.25 if success, else (1 - tanh(5 d)) + [grasped] (0.25 + min(height, 1))",
    fidelity: Fidelity::Equations,
    deviations: "asking a language model for the program, and for another after an error, is the user's; rewards are expressions over columns, not Python",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| Ok(written_program(parameters, "program", "shaped_reward")?.into()),
    ..REWARD
};

//! Auto MC-Reward: the signs of a sparse and of a dense reward that a language model wrote.

use meed_operators::credit::{Credit, signal};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::written::written;
use crate::recipe::{Fidelity, REWARD, Recipe};

const INPUTS: &[Input] = &[
    input(
        "step_sparse",
        Of::Number,
        "the sparse signal: positive where the step finished the task, negative where it was fatal",
        "a function of the environment's records, or another expression: --set sparse=...",
    ),
    input(
        "step_dense",
        Of::Number,
        "the dense signal: positive where the step brought the task forward",
        "a function of the environment's records, or another expression: --set dense=...",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter("sparse", "step_sparse", "the sparse reward of a step, as an expression of the data's columns"),
    parameter("dense", "step_dense", "the dense reward of a step, as an expression of the data's columns"),
    parameter("scale", "0.1", "weight of the dense sign"),
];

/// Auto MC-Reward: `r_t = sign(sparse_t) + 0.1 sign(dense_t)`.
///
/// Both are texts, as a language model writes them. What its critic checks is refused here before the reward is
/// used: syntax, types and levels, columns that the data lacks, and at run time a value that is not finite.
/// `step_ends_episode` is true where the sparse sign is not 0, which ends the episode in the paper.
pub const AUTO_MC_REWARD: Recipe = Recipe {
    name: "auto_mc_reward",
    title: "signs of a sparse and a dense reward that are given as expressions",
    citation: "Li et al. 2023, Auto MC-Reward, arXiv 2312.09238",
    family: "redistribution",
    formula: "r_t = sign(sparse_t) + 0.1 * sign(dense_t)",
    fidelity: Fidelity::Equations,
    deviations: "the loop of designer, critic and analyser around it is the user's; rewards are expressions over columns, not programs",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let sign = |name: &str| signal(name).sign();
        let shaped = sign("step_sparse_values") + parameters.number("scale")? * sign("step_dense_values");
        Ok(Credit::new()
            .define("step_sparse_values", written(parameters, "sparse")?)
            .define("step_dense_values", written(parameters, "dense")?)
            .define("step_ends_episode", signal("step_sparse_values").differs(0.0))
            .define("step_shaped_rewards", shaped)
            .into())
    },
    ..REWARD
};

//! BARFI: primary and auxiliary rewards, combined with weights that an outer loop learns.

use meed_operators::credit::{Credit, return_to_go, signal};

use super::inputs::STEP_REWARDS;
use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::shaped::weighted_sum;
use crate::parts::steps::unknown_ahead;
use crate::recipe::{Fidelity, REWARD, Recipe};

const INPUTS: &[Input] = &[
    input(
        "step_learned_rewards",
        Of::Number,
        "output of the learned reward function for each step; read where its weight is not 0",
        "a small network that the outer loop trains",
    ),
    STEP_REWARDS,
    input(
        "step_auxiliary_rewards",
        Of::Number,
        "the designer's auxiliary reward of each step, which may be misaligned",
        "a heuristic, a judge of steps, or an import",
    ),
];

const COLUMNS: [&str; 3] = ["step_learned_rewards", "step_rewards", "step_auxiliary_rewards"];

const PARAMETERS: &[Parameter] = &[
    parameter("weights", "[0, 1, 1]", "of the learned, the primary and the auxiliary reward"),
    parameter("gamma", "0.99", "discount of the inner objective, which the outer loop may learn too"),
];

/// BARFI's inner objective: `r_phi = phi_1(s, a) + phi_2 r_p + phi_3 r_aux` with the discount `gamma_phi`.
///
/// `step_inner_returns` are its returns, null where a later reward is. The outer loop moves the weights by
/// `dJ/dphi = -(dJ/dtheta) H^-1 A`, which `meed_operators::update::implicit_gradient` computes by a Neumann series from
/// products with the inner Hessian.
pub const BARFI: Recipe = Recipe {
    name: "barfi",
    title: "primary and auxiliary step rewards combined with learned weights",
    citation: "Gupta et al. 2023, Behavior Alignment via Reward Function Optimization, arXiv 2310.19007",
    family: "redistribution",
    formula: "r_phi = phi_1 + phi_2 * r_p + phi_3 * r_aux",
    fidelity: Fidelity::Reconstructed,
    deviations: "from knowledge of the paper; the weights are given and the outer loop is not run; guessed: the first weights, the discount, and the regularisers of the inner objective",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let weights = parameters.numbers("weights")?;
        let weights =
            weights.filter(|weights| weights.len() == COLUMNS.len() && weights.iter().any(|x| *x != 0.0));
        let Some(weights) = weights else {
            return Err(parameters.unknown("weights", &["[learned, primary, auxiliary], not all 0"]));
        };
        let combined = || signal("step_combined_rewards");
        let returns = return_to_go(combined(), parameters.number("gamma")?);
        Ok(Credit::new()
            .define("step_combined_rewards", weighted_sum(&COLUMNS, &weights))
            .define("step_inner_returns", returns.null_if(unknown_ahead(combined())))
            .define("step_shaped_rewards", combined())
            .into())
    },
    ..REWARD
};

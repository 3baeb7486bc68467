//! VeRPO: unit tests that few turns pass weigh more, as dense rewards of turns beside the outcome.

use std::sync::Arc;

use meed_operators::credit::{
    Credit, Level, ROLLOUT, Reduction, TURN, group, history, index_within, mean, policy, signal, value,
};
use meed_operators::signals::TestDensities;

use crate::inputs::{Input, Of, pairs};
use crate::parameters::{Parameter, parameter};
use crate::recipe::{ADVANTAGE, Fidelity, Plan, Recipe};

const INPUTS: &[Input] = &[pairs(
    "turn_test_passed",
    Of::Flag,
    "one list per turn: whether each unit test passed, the same tests in the same order in every turn of a group",
    "a judge that runs the unit tests after every turn; import it",
)];

const PARAMETERS: &[Parameter] = &[
    parameter("alpha", "1.0", "how fast a test's weight falls with its pass rate"),
    parameter(
        "rates",
        "group",
        "what a pass rate counts: group (the turns of the iteration's group), running (those of the group in all iterations so far; needs density false)",
    ),
    parameter(
        "density",
        "true",
        "true: divided by how many tests have about that pass rate; false: the first version",
    ),
    parameter("sigma", "0.1", "width of the kernel over pass rates"),
    parameter("delta", "1e-6", "added to the density"),
    parameter("gamma", "0.9", "discount of the outcome per turn"),
    parameter("turns_from", "1", "the discount of an outcome after one turn is gamma to the power of: 1, 0"),
    parameter("beta", "0.5", "weight of the turns' advantage"),
];

/// VeRPO: `w_j = exp(-alpha rho_j) / (N(rho_j) + delta)` for each unit test, `A = (R gamma^turns - mean) + beta
/// (sum_j w_j passed_j - mean over turns)`.
///
/// fidelity: reconstructed, from a summary of the paper. The pass rate of a test is its mean over all turns of the
/// group, of this iteration or of all so far; a group whose turns pass the same tests has no advantage of turns. Nothing is divided by a deviation. A
/// test that was not run is null and counts neither as passed nor as failed.
pub const VERPO: Recipe = Recipe {
    name: "verpo",
    title: "turn rewards from unit tests weighted by difficulty, beside the discounted outcome",
    citation: "VeRPO, arXiv 2601.03525",
    family: "actions",
    formula: "A = (R gamma^turns - mean(.)) + beta (T - mean(T)), T = sum_j exp(-alpha rho_j) / (N(rho_j) + delta) passed_j",
    fidelity: Fidelity::Reconstructed,
    deviations: "guessed: alpha, sigma, delta, gamma, beta, and that the first turn counts in the discount, and that pass rates are of the iteration's group; no density over running pass rates",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let test = index_within(Level::pair(&TURN, "test"), TURN);
        let passed = || signal("turn_test_passed");
        let difficulty = (-(parameters.number("alpha")? * signal("test_pass_rates"))).exp();
        let density = parameters.boolean("density")?;
        let counted = match parameters.text("rates")? {
            "group" => group().and(test),
            "running" if density => {
                return Err(parameters.unknown("density", &["false, where rates is running"]));
            }
            "running" => history().and(signal("group_id")).and(test),
            _ => return Err(parameters.unknown("rates", &["group", "running"])),
        };
        let weights = if density {
            difficulty / (signal("turn_test_densities") + parameters.number("delta")?)
        } else {
            difficulty
        };
        let skipped = match parameters.number("turns_from")? {
            1.0 => 0.0,
            0.0 => 1.0,
            _ => return Err(parameters.unknown("turns_from", &["1", "0"])),
        };
        let turns = policy(TURN).reduce(ROLLOUT, Reduction::Sum).empty(0.0) - skipped;
        let credit = Credit::new()
            .define("test_pass_rates", mean(passed(), counted))
            .define("test_weights", weights)
            .define("turn_rewards", (signal("test_weights") * passed()).reduce(TURN, Reduction::Sum))
            .define("turn_advantages", signal("turn_rewards") - mean(signal("turn_rewards"), group()))
            .define("outcome", signal("reward") * value(parameters.number("gamma")?).power(turns))
            .define("outcome_advantage", signal("outcome") - mean(signal("outcome"), group()));
        let turn_part = parameters.number("beta")? * signal("turn_advantages");
        let mut plan = Plan::from(credit.advantage(signal("outcome_advantage") + turn_part));
        if density {
            plan.operators.push(Arc::new(TestDensities { bandwidth: parameters.number("sigma")? }));
        }
        Ok(plan)
    },
    ..ADVANTAGE
};

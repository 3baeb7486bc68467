//! Generalised advantage estimation with turns as the steps.

use meed_operators::Result;
use meed_operators::credit::{Credit, Expr, Reduction, STEP, TURN, gae, signal, trainable, value, when};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::turns::all_by_turn;

/// Rewards of steps.
pub const STEP_REWARDS: Input = input(
    "step_rewards",
    Of::Number,
    "reward of each policy step; those of a turn are summed",
    "an environment that rewards steps, or an import",
);

/// Values of states.
pub const STEP_VALUES: Input = input(
    "step_values",
    Of::Number,
    "value of the state before each policy step; that of a turn is its first step's",
    "a critic provides values: train with a value model, or import rollouts that carry them",
);

/// Discounts of the estimate.
pub const DISCOUNTS: &[Parameter] =
    &[parameter("gamma", "0.99", "discount per turn"), parameter("lam", "0.95", "lambda of the estimate")];

/// The program up to the estimate of each turn, `turn_estimates`, beside `turn_rewards` and `turn_values`.
pub fn estimates(parameters: &Parameters) -> Result<Credit> {
    let (gamma, lam) = (parameters.number("gamma")?, parameters.number("lam")?);
    let rewards = || signal("turn_rewards");
    let values: fn() -> Expr = || signal("turn_values");
    let opens = value(1.0).spread(TURN).at_first(STEP).equals(1.0);
    let at_opening = when(opens, signal("step_values"), 0.0);
    Ok(Credit::new()
        .define("turn_rewards", all_by_turn(signal("step_rewards"), Reduction::Sum))
        .define("turn_values", all_by_turn(at_opening, Reduction::Sum))
        .define("turn_estimates", gae(rewards(), values(), gamma, lam, trainable())))
}

//! CaRL: progress along the route, gated by every soft penalty at once.

use meed_operators::credit::{Credit, Expr, Reduction, STEP, difference, if_present, signal, value, when};

use crate::inputs::{Input, Of, input, pairs};
use crate::parameters::{Parameter, parameter};
use crate::parts::steps::truth;
use crate::recipe::{Fidelity, REWARD, Recipe};

const INPUTS: &[Input] = &[
    input(
        "step_route_completion",
        Of::Number,
        "share of the route that is completed after the step, in percent",
        "the simulator; import it",
    ),
    pairs(
        "step_penalty_factors",
        Of::Share,
        "factors of the step's soft infractions: 1 none, 0 forfeits its progress",
        "the simulator; import it",
    ),
    input(
        "step_infraction",
        Of::Flag,
        "true where a hard infraction ends the episode; without the column none does",
        "the simulator; import it",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter("terminal_reward", "0.0", "added at a hard infraction"),
    parameter("clip_negative", "false", "true: steps that lose progress get 0"),
];

/// CaRL: `r_t = (RC_t - RC_{t-1}) prod_i p_{t,i}`, plus the terminal reward at a hard infraction.
///
/// Nothing can be gained by a violation, since its factor gates the progress. The end of the route is no
/// infraction.
pub const CARL_DRIVING: Recipe = Recipe {
    name: "carl_driving",
    title: "route completion gated by soft penalties",
    citation: "CaRL: Learning Scalable Planning Policies with Simple Rewards, arXiv 2504.17838; autonomousvision/CaRL simple_reward.py",
    family: "rewards",
    formula: "r_t = (RC_t - RC_{t-1}) prod_i p_{t,i} + terminal",
    fidelity: Fidelity::Equations,
    deviations: "the factors are given, not derived from speeds and distances; guessed: a terminal reward of 0, and that the first step begins at 0 percent",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let gained = difference(signal("step_route_completion"), Some(value(0.0)));
        let gained = if parameters.boolean("clip_negative")? { gained.max(0.0) } else { gained };
        let infraction = if_present(signal("step_infraction"), truth().negated());
        let terminal = when(infraction, parameters.number("terminal_reward")?, 0.0);
        let credit = Credit::new()
            .define("step_penalty", product(signal("step_penalty_factors")))
            .define("step_shaped_rewards", gained * signal("step_penalty") + terminal);
        Ok(credit.into())
    },
    ..REWARD
};

/// The product of each step's factors: 0 where one is, null where one is null.
fn product(factors: Expr) -> Expr {
    let any = |condition: Expr| condition.reduce(STEP, Reduction::Any).empty(0.0);
    let logarithm = factors.clone().null_if(factors.clone().equals(0.0)).ln();
    let product = logarithm.reduce(STEP, Reduction::Sum).empty(0.0).exp();
    let known = value(0.0).null_if(any(factors.clone().is_null()));
    when(any(factors.equals(0.0)), 0.0, product) + known
}

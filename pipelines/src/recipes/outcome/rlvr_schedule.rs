//! RLVR schedules: which tokens are trained, and with which bonus, changes along the run.

use meed_operators::Result;
use meed_operators::credit::{
    Credit, Expr, ROLLOUT, Running, TOKEN, progress, rank, rollout, signal, value, when,
};

use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::group::{GROUP, group_advantage};
use crate::parts::norm::trainable_tokens;
use crate::recipe::{Fidelity, Plan, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter(
        "piece",
        "tail percentile",
        "tail percentile: train the end of each rollout; forking tokens: train its tokens of highest entropy; entropy advantage: add an entropy bonus",
    ),
    parameter("mode", "linear", "how the magnitude falls: linear, sigmoid, gamma; constant: it does not"),
    parameter("magnitude", "0.99", "the magnitude at the start"),
    parameter("start_step", "0", "iteration until which the schedule stays at its start"),
    parameter("end_step", "80", "iteration at which the magnitude is 0: the paper's 0.8 of the run"),
    parameter("gamma", "2.0", "power of the mode gamma"),
    parameter("sigmoid_slope", "8.0", "slope of the mode sigmoid"),
    parameter("alpha", "0.4", "entropy advantage: factor of the entropy"),
    parameter(
        "kappa",
        "2.0",
        "entropy advantage: the bonus is at most |A| / kappa; the released default is 1",
    ),
    GROUP[0],
    GROUP[1],
    GROUP[2],
    parameter("singleton", "raw", "a group of one: raw (mean 0, deviation 1, as in the reference), zero"),
];

/// Temporal schedules with a magnitude `rho` that falls to 0 along the run: the first `rho` of each
/// rollout becomes its prompt; or the `1 - rho` of its tokens with the highest entropy are kept; or
/// `A += rho min(alpha H, |A| / kappa)`. At magnitude 0 all three are GRPO.
///
/// The mode gamma raises the whole linear value, its magnitude included, to the power. Positions and
/// budgets count trainable tokens, so that one is always left. `magnitude` is also how much of a
/// reference response the paper's off-policy variant gives as context: the sampler reads it.
pub const RLVR_SCHEDULE: Recipe = Recipe {
    name: "rlvr_schedule",
    title: "GRPO on a share of the tokens, or with an entropy bonus, that follows a schedule",
    citation: "Not only where, But when: Temporal Scheduling for RLVR; Jinghaoleven/RLVR-Schedule",
    family: "outcome",
    objective: ("dapo", &[]),
    formula: "rho = m (1 - progress); weights = (t >= floor(rho n)), or top ceil((1 - rho) n) by H, or A += rho min(alpha H, |A|/kappa)",
    fidelity: Fidelity::Reference,
    deviations: "budgets allow for the reference's float32: a count within 1e-6 above a whole number is that number; positions count trainable tokens, the same in a single turn",
    parameters: &[PARAMETERS],
    plan,
    ..crate::recipe::ADVANTAGE
};

fn plan(parameters: &Parameters) -> Result<Plan> {
    let (rho, grpo) = (|| signal("magnitude"), || signal("group_advantage"));
    let credit = Credit::new()
        .define("magnitude", magnitude(parameters)?)
        .define("group_advantage", group_advantage(parameters, signal("reward"))?);
    let tokens = trainable_tokens();
    let (credit, kept) = match parameters.text("piece")? {
        "tail percentile" => {
            let prefix = (tokens.clone() * rho()).floor().min(tokens - 1.0).max(0.0);
            let before = value(1.0).spread(TOKEN).scan(Running::Count).exclusive();
            let credit = credit.define("prefix_lengths", prefix);
            (credit, before.at_least(signal("prefix_lengths")))
        }
        "forking tokens" => {
            let budget = (tokens * (1.0 - rho()) * (1.0 - 1e-6)).ceil().max(1.0);
            (credit, rank(signal("token_entropies"), rollout(), false).less(budget))
        }
        "entropy advantage" => {
            let most = grpo().abs() / parameters.number("kappa")?;
            let bonus = (parameters.number("alpha")? * signal("token_entropies")).min(most);
            return Ok(credit.advantage(grpo() + rho() * bonus).into());
        }
        _ => {
            let known = &["tail percentile", "forking tokens", "entropy advantage"];
            return Err(parameters.unknown("piece", known));
        }
    };
    let kept_or = |then: Expr| when(signal("token_kept"), then, 0.0);
    Ok(credit.define("token_kept", kept).advantage(kept_or(grpo())).weights(kept_or(value(1.0))).into())
}

/// The magnitude in each rollout's iteration.
fn magnitude(parameters: &Parameters) -> Result<Expr> {
    let most = parameters.number("magnitude")?;
    let passed = progress(parameters.number("start_step")?, parameters.number("end_step")?);
    Ok(match parameters.text("mode")? {
        "constant" => value(most).spread(ROLLOUT),
        "linear" => most * (1.0 - passed),
        "gamma" => (most * (1.0 - passed)).power(parameters.number("gamma")?),
        "sigmoid" => {
            let slope = parameters.number("sigmoid_slope")?;
            let (begin, end) = (1.0 / (1.0 + (-slope / 2.0).exp()), 1.0 / (1.0 + (slope / 2.0).exp()));
            most * ((slope * (0.5 - passed)).sigmoid() - end) / (begin - end)
        }
        _ => return Err(parameters.unknown("mode", &["linear", "sigmoid", "gamma", "constant"])),
    })
}

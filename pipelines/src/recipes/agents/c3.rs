//! C3: alternative messages at the same context, each against the mean of the others.

use meed_operators::Result;
use meed_operators::credit::{By, Credit, Expr, STEP, group, mean, members, signal, sum, trainable, when};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::units::once_per_unit;
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[input(
    "step_q_values",
    Of::Number,
    "value of the message at its context, by a critic, where value_share is not 0",
    "a critic of messages, or import",
)];

const PARAMETERS: &[Parameter] = &[
    parameter(
        "baseline",
        "leave_one_out",
        "leave_one_out: the mean of the other messages; mean: that of all, the message itself included",
    ),
    parameter(
        "weights",
        "replays",
        "replays: a message weighs in the baseline as often as it was replayed; messages: each weighs the same",
    ),
    parameter(
        "value_share",
        "0.0",
        "share of the baseline that is of step_q_values in place of returns (the value-assisted variant: 1)",
    ),
];

/// C3: `A_j = R_j - mean(R_k, k != j)` over the messages `j` at one context, where `R_j` is the mean return of the
/// replays that go on with message `j`.
///
/// A context is a value of `step_states` in the group, and a message one of `step_actions`; every replay is a
/// rollout. A context with one message gives 0, as in the released metrics (the released provider refuses it).
pub const C3: Recipe = Recipe {
    name: "c3",
    title: "messages against the alternatives that were replayed at the same context",
    citation: "C3, arXiv 2603.06859; EIT-EAST-Lab/C3, c3/credit/c3/provider.py",
    family: "agents",
    formula: "A_j = mean(R, by(group, context, message)) - mean(R of other messages, by(group, context))",
    fidelity: Fidelity::Equations,
    deviations: "alternatives are matched by their text, so that equal messages of several replays are one",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let returns = || signal("step_returns");
        let share = parameters.number("value_share")?;
        let mut baseline = (1.0 - share) * without(parameters, returns())?;
        if share != 0.0 {
            baseline = baseline + share * without(parameters, signal("step_q_values"))?;
        }
        let credit = Credit::new()
            .define("step_returns", signal("reward").spread(STEP))
            .define("step_message_values", mean(returns(), message()))
            .define("step_messages", members(of_messages(returns()), context()));
        let (own, alone) = (signal("step_message_values"), signal("step_messages").less(2.0));
        Ok(credit.advantage(when(alone, 0.0 * own.clone(), own - baseline)).into())
    },
    ..ADVANTAGE
};

fn context() -> By {
    group().and(signal("step_states"))
}

fn message() -> By {
    context().and(signal("step_actions"))
}

/// The mean of each message, once.
fn of_messages(x: Expr) -> Expr {
    once_per_unit(mean(x, message()), message(), trainable())
}

/// The baseline of a message. Deviations from the mean of the context are what is summed, so that equal values
/// have exactly their value.
fn without(parameters: &Parameters, x: Expr) -> Result<Expr> {
    let center = mean(x.clone(), context());
    let deviation = x - center.clone();
    let replays = match parameters.text("weights")? {
        "replays" => true,
        "messages" => false,
        _ => return Err(parameters.unknown("weights", &["replays", "messages"])),
    };
    let own = mean(deviation.clone(), message());
    Ok(match parameters.text("baseline")? {
        "mean" if replays => center,
        "mean" => center + mean(of_messages(deviation), context()),
        "leave_one_out" if replays => {
            let others = sum(deviation.clone(), context()) - sum(deviation.clone(), message());
            center + others / (members(deviation.clone(), context()) - members(deviation, message()))
        }
        "leave_one_out" => {
            center + (sum(of_messages(deviation), context()) - own) / (signal("step_messages") - 1.0)
        }
        _ => return Err(parameters.unknown("baseline", &["leave_one_out", "mean"])),
    })
}

//! MatchTIR: every tool call is rewarded by its match among the gold calls of the task.

use std::sync::Arc;

use meed_operators::Result;
use meed_operators::credit::{
    Expr, Norm, ROLLOUT, Reduction, STEP, Scale, Singleton, TOKEN, TURN, group, normalize, return_to_go,
    signal,
};
use meed_operators::signals::{AddSignals, Assignment, GoldCalls, LEAST_REGULARISATION, MatchCalls};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::group::{GROUP, group_norm};
use crate::parts::steps::judged;
use crate::parts::turns::{all_by_turn, norm_by, same_turn};
use crate::recipe::{ADVANTAGE, Fidelity, Plan, Recipe};

const INPUTS: &[Input] = &[
    input(
        "gold_calls",
        Of::Text,
        "the gold tool calls of the task, a JSON list of {name, arguments} or of texts `name({...})`",
        "import it with the task",
    ),
    input(
        "metadata",
        Of::Text,
        "JSON whose gold_actions are the gold tool calls, where there is no gold_calls",
        "import rollouts of tau-bench, or give gold_calls",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter(
        "assignment",
        "greedy",
        "how calls are matched: greedy (as released), optimal (the paper's), ot (in shares, by entropic optimal transport), given (step_rewards are the rewards of turns, nothing is matched)",
    ),
    parameter("unmatched", "0.0", "what a call earns that matches no gold call"),
    parameter("reg", "0.1", "weight of the entropy in ot, at least 0.01"),
    parameter("turn_discount", "0.9", "discount per turn"),
];

/// MatchTIR: `A = (normalize(sum_j r_j, group) + normalize(G_j, group and turn)) / 2`, `G_j = r_j + 0.9
/// G_{j+1}`, where a turn's `r_j` is the mean reward of its calls, 0 without one, and the last turn's also
/// the outcome.
///
/// A call is as much worth as it is similar to the gold call that it is matched with (see
/// [`meed_operators::signals::ToolCall::similarity`]). `scale=none` leaves the deviation out of the
/// trajectory part only, as released. A lone rollout, or a turn that only one rollout reaches, has 0; the
/// authors' program keeps the raw value (`singleton=raw`).
pub const MATCHTIR: Recipe = Recipe {
    name: "matchtir",
    title: "tool calls rewarded by their match among gold calls, compared by turn and by rollout",
    citation: "MatchTIR, arXiv 2601.10712; quchangle1/MatchTIR",
    family: "turns",
    formula: "A = (z(sum_j r_j; group) + z(G_j; group, turn)) / 2, G_j = r_j + 0.9 G_{j+1}",
    fidelity: Fidelity::Reference,
    deviations: "groups and turns of one get 0, the program keeps their raw values (singleton=raw); calls of the last turn count beside the outcome, where the program ignores them; the outcome is the reward that is given, in the program the F1 of the answer",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, GROUP],
    plan,
    ..ADVANTAGE
};

fn plan(parameters: &Parameters) -> Result<Plan> {
    let outcome = signal("reward").at_last(TURN);
    let called = signal("call_rewards").place(TURN, signal("call_turns"), Reduction::Mean).or_else(0.0);
    let matched = |assignment| -> Result<(Vec<Arc<dyn AddSignals>>, Expr)> {
        let unmatched = parameters.number("unmatched")?;
        Ok((vec![Arc::new(GoldCalls), Arc::new(MatchCalls { assignment, unmatched })], called + outcome))
    };
    let (operators, rewards) = match parameters.text("assignment")? {
        "greedy" => matched(Assignment::Greedy)?,
        "optimal" => matched(Assignment::Optimal)?,
        "ot" => matched(Assignment::Transport { regularisation: regularisation(parameters)? })?,
        "given" => (Vec::new(), all_by_turn(signal("step_rewards"), Reduction::Sum)),
        _ => return Err(parameters.unknown("assignment", &["greedy", "optimal", "ot", "given"])),
    };
    let whole = group_norm(parameters)?;
    // Turns are always divided by their deviation, whatever is chosen for rollouts.
    let singleton = match whole.singleton {
        Singleton::Raw => Singleton::RawOverOnePlusEps,
        other => other,
    };
    let of_turns = norm_by(same_turn(), Norm { scale: Scale::Std(group()), singleton, ..whole.clone() });
    let mut credit = judged([rewards.clone()]);
    if !operators.is_empty() {
        credit = credit.define("call_rewards", signal("call_rewards"));
    }
    let rewards_of_turns = || signal("turn_rewards");
    let credit = credit
        .define("turn_rewards", rewards)
        .define("step_rewards", rewards_of_turns().at_last(STEP))
        .define("token_rewards", rewards_of_turns().at_last(TOKEN))
        .define("turn_returns", return_to_go(rewards_of_turns(), parameters.number("turn_discount")?))
        .define("trajectory_advantage", normalize(rewards_of_turns().reduce(ROLLOUT, Reduction::Sum), &whole))
        .define("turn_advantages", normalize(signal("turn_returns"), &of_turns))
        .advantage(0.5 * (signal("trajectory_advantage") + signal("turn_advantages")));
    Ok(Plan { operators, ..credit.into() })
}

fn regularisation(parameters: &Parameters) -> Result<f64> {
    let weight = parameters.number("reg")?;
    if weight >= LEAST_REGULARISATION {
        Ok(weight)
    } else {
        Err(parameters.unknown("reg", &["a number of at least 0.01"]))
    }
}

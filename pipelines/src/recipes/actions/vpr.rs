//! VPR: candidate replies to one state compared by a symbolic oracle.

use meed_operators::Result;
use meed_operators::credit::{
    By, Credit, Expr, ROLLOUT, batch, group, if_present, maximum, mean, members, random, rank, signal, std,
    value, when,
};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::recipe::{ADVANTAGE, Fidelity, Plan, Recipe};

const INPUTS: &[Input] = &[
    input(
        "state_id",
        Of::Text,
        "the visited state that the rollout, one candidate reply, answers; without the column the turn decides",
        "sampling K candidates per visited state; import it",
    ),
    input(
        "turn_index",
        Of::Count,
        "turn of the episode at which the candidate was sampled, where there is no state_id",
        "sampling; import it",
    ),
    input(
        "ends_episode",
        Of::Flag,
        "true where the reply ends its episode; without the column no outcome is added",
        "the environment; import it",
    ),
    input(
        "success",
        Of::Number,
        "outcome of the episode that ended: 1 solved, 0 not",
        "the environment; import it",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter(
        "normalization",
        "mean_then_batch_whiten",
        "mean_then_batch_whiten (paper: centred per state, states without spread dropped, the rest whitened over the batch), group_whiten (over the state's own deviation)",
    ),
    parameter("eps", "1e-8", "added to deviations; a deviation that is not above it counts as none"),
    parameter(
        "outcome_reward_scale",
        "1.0",
        "weight of the outcome in the reward of a reply that ends its episode",
    ),
    parameter(
        "commit",
        "best",
        "the reply that goes on: best (of equal ones the first, as released), best at random (of equal ones any, as documented), mixed (any with chance mix, else the best), random",
    ),
    parameter("mix", "0.5", "chance of a random reply, for mixed"),
    parameter("seed", "0", "seed of the draws"),
    parameter(
        "min_turn_group",
        "4",
        "without states: fewest replies of one turn that are compared with each other",
    ),
];

/// VPR: every rollout is one candidate reply to a state, with the oracle's verdict as reward;
/// `A = (r - mean(r, state)) / deviation`.
///
/// In the paper's form the centred rewards are whitened over the replies of the batch whose state has spread; the
/// others, lone replies among them, get weight 0. Without states a reply is compared with those of the same turn
/// of the batch, or with the whole batch where they are too few. `committed` is true for the reply that goes on.
pub const VPR: Recipe = Recipe {
    name: "vpr",
    title: "candidate replies to one state, rewarded by an oracle and compared with each other",
    citation: "VPR, arXiv 2605.10325; compute_vpr_turn_level_advantage",
    family: "actions",
    formula: "A = (c - mean(c, batch)) / (std(c, batch) + eps), c = r + scale * success - mean(., by(state))",
    fidelity: Fidelity::Equations,
    deviations: "states never match across groups; the chance of mixed is open and 0.5 here",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan,
    ..ADVANTAGE
};

fn plan(parameters: &Parameters) -> Result<Plan> {
    let eps = parameters.number("eps")?;
    let scale = parameters.number("outcome_reward_scale")?;
    let outcome = when(signal("ends_episode").equals(1.0), scale * signal("success"), 0.0);
    let outcome = if scale == 0.0 { value(0.0) } else { if_present(outcome, value(0.0)) };
    let score = || signal("score");
    let states = || group().and(signal("state_id"));
    let spread = || std(score(), states(), 0);
    let centred = score() - mean(score(), states());
    let (kept, by_state) = match parameters.text("normalization")? {
        "group_whiten" => (score().is_null().negated(), centred / (spread() + eps)),
        "mean_then_batch_whiten" => {
            let kept = spread().greater(eps).and(members(score(), states()).at_least(2.0));
            let among_kept = centred.null_if(kept.clone().negated());
            (kept.clone(), when(kept, whitened(among_kept, batch(), eps), 0.0))
        }
        _ => return Err(parameters.unknown("normalization", &["mean_then_batch_whiten", "group_whiten"])),
    };
    let same_turn = || batch().and(signal("turn_index"));
    let enough = members(score(), same_turn()).at_least(parameters.number("min_turn_group")?);
    let over = |by: By| (score() - mean(score(), by.clone())) / (std(score(), by, 0) + eps);
    let by_turn = when(enough, over(same_turn()), over(batch()));
    let credit = Credit::new()
        .define("score", signal("reward") + outcome)
        .define("committed", if_present(committed(parameters, states())?, committed(parameters, group())?))
        .weights(if_present(when(kept, 1.0, 0.0), value(1.0)))
        .advantage(if_present(by_state, by_turn));
    Ok(credit.into())
}

/// `(x - mean) / (std + eps)`, and 0 where the deviation is not above `eps`.
fn whitened(x: Expr, by: By, eps: f64) -> Expr {
    let deviation = || std(x.clone(), by.clone(), 0);
    when(deviation().greater(eps), (x.clone() - mean(x.clone(), by.clone())) / (deviation() + eps), 0.0)
}

/// True for the reply of each state that the episode goes on with.
fn committed(parameters: &Parameters, by: By) -> Result<Expr> {
    let seed = parameters.number("seed")? as u64;
    let draw = |seed: u64| random(ROLLOUT, seed).null_if(signal("score").is_null());
    let first = |x: Expr| rank(x, by.clone(), false).equals(0.0).or_else(value(0.0).equals(1.0));
    let best = || first(signal("score"));
    let any = || first(draw(seed));
    Ok(match parameters.text("commit")? {
        "best" => best(),
        "best at random" => {
            let lesser = signal("score").less(maximum(signal("score"), by.clone()));
            first(draw(seed).null_if(lesser))
        }
        "random" => any(),
        "mixed" => {
            // One draw for the whole state: that of its first reply.
            let others = first(signal("score") * 0.0).negated();
            let of_state = maximum(draw(seed.wrapping_add(1)).null_if(others), by.clone());
            when(of_state.less(parameters.number("mix")?), any(), best())
        }
        _ => {
            let known = ["best", "best at random", "mixed", "random"];
            return Err(parameters.unknown("commit", &known));
        }
    })
}

//! The first release: one baseline per token for all rewards.

use meed_operators::Result;
use meed_operators::credit::{
    Credit, Expr, ROLLOUT, Reduction, TOKEN, all, batch, count, group, leave_one_out, mask, maximum,
    min_to_go, return_to_go, rollout, signal, softmin, value, when, whiten,
};

use super::{penalised, signals};
use crate::parameters::Parameters;
use crate::parts::norm::trainable_tokens;
use crate::parts::steps::{judged, unless_alone};

pub(super) fn credit(parameters: &Parameters, outcome_apart: bool) -> Result<Credit> {
    let (process, outcome) = signals(parameters)?;
    let mode = parameters.text("mode")?;
    let score = || signal("step_rewards");
    let rewards = match mode {
        "approx_min" => softmin(score() / parameters.number("temperature")?, rollout()) * score(),
        "sum" | "strict_min" => score(),
        _ => return Err(parameters.unknown("mode", &["approx_min", "sum", "strict_min"])),
    };
    let mut credit = judged(process.then(score));
    let mut token_rewards = when(mask(), 0.0, 0.0);
    if process {
        token_rewards = token_rewards + rewards.at_last(TOKEN);
    }
    let solved = parameters.number("outcome_coef")? * signal("reward");
    if outcome && !outcome_apart {
        token_rewards = token_rewards + solved.clone().at_last(TOKEN);
    }
    credit = credit.define("token_rewards", penalised(parameters, token_rewards, "k3")?);
    let width = match parameters.get("padded_width") {
        serde_json::Value::Null => maximum(count(TOKEN), batch()),
        serde_json::Value::Number(_) => value(parameters.number("padded_width")?),
        _ if parameters.text("padded_width")? == "own" => trainable_tokens(),
        _ => return Err(parameters.unknown("padded_width", &["a number", "null", "own"])),
    };
    let returns = match mode {
        "strict_min" => least_to_come(signal("token_rewards"), width.clone()),
        _ => return_to_go(signal("token_rewards"), 1.0),
    };
    let total = signal("returns").reduce(ROLLOUT, Reduction::Sum).over(all());
    let baseline = leave_one_out(signal("total_return"), group()) / width;
    credit = credit.returns(returns).define("total_return", total).define("baseline", baseline);
    let mut relative = signal("returns") - signal("baseline");
    if outcome && outcome_apart {
        relative = relative + solved.clone() - leave_one_out(solved, group());
    }
    let relative = unless_alone(signal("total_return"), relative);
    credit = credit.define("token_advantages_unwhitened", relative);
    let advantage = signal("token_advantages_unwhitened");
    Ok(credit.advantage(match parameters.boolean("whiten")? {
        true => whiten(advantage, parameters.number("whiten_eps")?),
        false => advantage,
    }))
}

/// `min_{k >= t} r_k` over every position of the padded rollout: masked tokens and padding are zeros.
fn least_to_come(rewards: Expr, width: Expr) -> Expr {
    let least = min_to_go(rewards).over(all());
    when(count(TOKEN).less(width), least.clone().min(0.0), least)
}

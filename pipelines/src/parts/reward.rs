//! The outcome reward of a rollout, combined and shaped before any statistic.

use meed_operators::Result;
use meed_operators::credit::{
    Expr, ROLLOUT, Reduction, all, group, if_present, maximum, mean, members, rank, signal, sum, trainable,
    value,
};

use crate::parameters::{Fields, Parameter, Parameters, parameter};
use crate::parts::divergence::{Into, Penalty};
use crate::parts::norm::trainable_tokens;

/// Parameters of the shaped reward.
pub const REWARD: &[Parameter] = &[
    parameter(
        "reward_columns",
        "null",
        "several reward columns, summed; null values are left out of the sum",
    ),
    parameter("weights", "null", "weights of the reward columns; 1 each by default"),
    parameter(
        "reward",
        "null",
        "shaping: {bias, scale, clip} gives clip((r + bias) * scale); {overlong: {max_length, buffer, factor}}",
    ),
    parameter("reward_clip", "null", "[low, high]"),
    parameter("reward_clip_where", "null", "null: before the statistics; after the group normalisation"),
    parameter(
        "length_penalty",
        "null",
        "{output_tokens, input_tokens, turns}: share of the group's mean reward taken off at the group's greatest length",
    ),
    parameter(
        "empty_rollouts",
        "excluded",
        "rollouts without a trainable token in the statistics: excluded, or counted (verl)",
    ),
    parameter(
        "excluded",
        "null",
        "rollouts outside the statistics and the loss, by the columns valid, error, trainable where the data has them",
    ),
];

/// The reward of each rollout; null where every part of it is null.
pub fn reward(parameters: &Parameters, penalty: Option<&Penalty>) -> Result<Expr> {
    let mut reward = combined(parameters)?;
    if let Some(shaping) = parameters.object("reward", &["bias", "scale", "clip", "overlong"])? {
        reward = (reward + shaping.number("bias")?.unwrap_or(0.0)) * shaping.number("scale")?.unwrap_or(1.0);
        if let Some(bound) = shaping.number("clip")? {
            reward = reward.clamp(-bound, bound);
        }
        if let Some(overlong) = shaping.get("overlong").as_object() {
            let field = |name: &str| overlong.get(name).and_then(serde_json::Value::as_f64);
            let (Some(longest), Some(buffer), Some(factor)) =
                (field("max_length"), field("buffer"), field("factor"))
            else {
                return Err(parameters.unknown("reward", &["{overlong: {max_length, buffer, factor}}"]));
            };
            reward = reward + overlong_penalty(trainable_tokens(), longest, buffer, factor);
        }
    }
    if parameters.is_null("reward_clip_where") {
        reward = clip(parameters, reward)?;
    }
    if let Some(fields) = parameters
        .object("length_penalty", &["output_tokens", "input_tokens", "turns", "scaled_by", "relative_to"])?
    {
        reward = length_penalised(&fields, reward)?;
    }
    if let Some(penalty) = penalty.filter(|penalty| penalty.into == Into::RolloutReward) {
        reward = reward - penalty.tokens.clone().reduce(ROLLOUT, Reduction::Sum).over(all());
    }
    Ok(reward)
}

/// `reward_clip`, where it is given.
pub fn clip(parameters: &Parameters, reward: Expr) -> Result<Expr> {
    Ok(match parameters.numbers("reward_clip")?.as_deref() {
        Some([low, high]) => reward.clamp(*low, *high),
        Some(_) => return Err(parameters.unknown("reward_clip", &["[low, high]"])),
        None => reward,
    })
}

/// `min(-(length - (longest - buffer)) / buffer * factor, 0)`.
pub fn overlong_penalty(length: Expr, longest: f64, buffer: f64, factor: f64) -> Expr {
    ((length - (longest - buffer)) * (-factor / buffer)).min(0.0)
}

/// Which rollouts enter the statistics, where it is not those with a trainable token.
pub fn in_baseline(parameters: &Parameters) -> Result<Option<Expr>> {
    let counted = match parameters.text("empty_rollouts")? {
        "excluded" => false,
        "counted" => true,
        _ => return Err(parameters.unknown("empty_rollouts", &["excluded", "counted"])),
    };
    if parameters.is_null("excluded") && !counted {
        return Ok(None);
    }
    let truth = || value(1.0).equals(1.0);
    let trainable = if counted { truth() } else { trainable_tokens().greater(0.0) };
    if parameters.is_null("excluded") {
        return Ok(Some(trainable));
    }
    let valid = if_present(signal("valid").equals(1.0), truth());
    let failed = if_present(signal("error").equals(1.0).or_else(truth().negated()), truth().negated());
    let wanted = if_present(signal("trainable").equals(1.0).or_else(truth()), truth());
    Ok(Some(trainable.and(valid).and(failed.negated()).and(wanted)))
}

fn combined(parameters: &Parameters) -> Result<Expr> {
    let columns = parameters.texts("reward_columns")?;
    let Some(first) = columns.first() else {
        let dense = signal("token_rewards").reduce(ROLLOUT, Reduction::Sum).over(all());
        return represented(parameters, if_present(signal("reward"), dense));
    };
    let weights = weights(parameters, columns.len())?;
    let mut total = value(0.0);
    let mut missing = signal(first).is_null();
    for (column, weight) in columns.iter().zip(weights) {
        total = total + (signal(column) * weight).or_else(0.0);
        missing = missing.and(signal(column).is_null());
    }
    represented(parameters, total.null_if(missing))
}

/// Where a rollout has several rows of which the last carries its reward, that row's reward on all
/// of them.
fn represented(parameters: &Parameters, reward: Expr) -> Result<Expr> {
    if !parameters.text("rows")?.contains("represents") {
        return Ok(reward);
    }
    let rollout = || group().and(signal("source_rollout_id"));
    let place = rank(reward.clone() * 0.0, rollout(), true);
    let last = place.equals(members(reward.clone(), rollout()) - 1.0);
    Ok(sum(reward, rollout()).over(trainable().only(last)))
}

/// Weights of the reward columns.
pub fn weights(parameters: &Parameters, columns: usize) -> Result<Vec<f64>> {
    let weights = parameters.numbers("weights")?.unwrap_or_else(|| vec![1.0; columns]);
    if weights.len() == columns {
        Ok(weights)
    } else {
        Err(parameters.unknown("weights", &["one number per reward column"]))
    }
}

fn length_penalised(fields: &Fields, reward: Expr) -> Result<Expr> {
    let output = if_present(signal("output_tokens"), trainable_tokens());
    let tokens = meed_operators::credit::count(meed_operators::credit::TOKEN);
    let input = if_present(signal("input_tokens"), signal("prompt_length") + tokens - trainable_tokens());
    let scale = mean(reward.clone(), group());
    let mut penalised = reward;
    for (name, length) in [("output_tokens", output), ("input_tokens", input), ("turns", signal("turns"))] {
        let share = fields.number(name)?.unwrap_or(0.0);
        if share != 0.0 {
            let relative = length.clone() / maximum(length, group()).max(1.0);
            penalised = penalised - share * relative * scale.clone();
        }
    }
    Ok(penalised)
}

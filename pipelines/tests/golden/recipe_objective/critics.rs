//! Methods whose objective has a critic: what is fed, what is compared, what is the credit's.

use super::batch;
use super::check::{Check, SINGLE, text};
use crate::case::{Case, Outcome};

type Result<T = Outcome> = std::result::Result<T, String>;

pub fn ma_rlhf(case: &Case) -> Result {
    let credit = ["termination", "ngram", "block_sizes", "weights", "gamma", "lam", "kl_coef", "reward_clip"];
    let mut check = Check::new(case, &["clip", "value_clip"], &credit)?;
    let objective = check.objective("ma_rlhf")?;
    check.set("value_coef", 0.0);
    let policy = check.objective("ma_rlhf")?;
    let advantages = check.fed("token_advantages")?;
    let all = check.columns()?;
    let [mut losses, mut value_losses, mut by_logprobs, mut by_values] = [const { Vec::new() }; 4];
    for (row, range) in check.rows.iter().zip(all.ranges()) {
        // Each rollout is a batch of its own.
        let id = row["rollout_id"].as_str().unwrap_or_default();
        let mut columns = batch::columns(std::slice::from_ref(row))?;
        columns.advantages = advantages[range].to_vec();
        columns.returns = Some(macro_returns(case, id, columns.tokens())?);
        // The reference takes the end from the number of trainable tokens, the position after them included, and
        // has old values of 0 behind it.
        let end = columns.tokens().min(columns.trainable(0..columns.tokens()).len() + 1);
        columns.old_values.as_mut().ok_or("has no values")?[end..].fill(0.0);
        let loss = objective.loss(&columns).map_err(text)?;
        losses.push(policy.loss(&columns).map_err(text)?.value);
        value_losses.push(loss.parts["value_loss"]);
        by_logprobs.extend(loss.logprobs);
        by_values.extend(loss.values.ok_or("no value gradient")?);
    }
    check.rows("rollout_losses", &losses)?;
    check.rows("rollout_value_losses", &value_losses)?;
    check.rows("grad_token_logprobs", &by_logprobs)?;
    check.rows("grad_token_new_values", &by_values)?;
    check.finish(&[
        "macro_starts",
        "macro_sizes",
        "token_rewards",
        "macro_values",
        "macro_rewards",
        "macro_advantages",
        "macro_returns",
        "token_advantages",
    ])
}

/// The return of each token's macro action.
fn macro_returns(case: &Case, id: &str, tokens: usize) -> Result<Vec<f64>> {
    let of = |key: &str| -> Result<Vec<f64>> {
        let list = case
            .expected
            .get(key)
            .and_then(|of| of.get(id)?.as_array())
            .ok_or(format!("expects no {key}"))?;
        Ok(list.iter().filter_map(serde_json::Value::as_f64).collect())
    };
    let mut returns = vec![0.0; tokens];
    let (starts, sizes) = (of("macro_starts")?, of("macro_sizes")?);
    for ((start, size), value) in starts.iter().zip(sizes).zip(of("macro_returns")?) {
        returns[*start as usize..(start + size) as usize].fill(value);
    }
    Ok(returns)
}

pub fn text2grad(case: &Case) -> Result {
    let own = ["clip", "value_clip", "value_coef", "ratio_threshold"];
    let credit = [
        "variant",
        "length_weight",
        "match_attempts",
        "kl",
        "kl_coef",
        "gamma",
        "lam",
        "whiten_rewards",
        "length_alpha",
        "length_limit",
    ];
    let check = Check::new(case, &own, &credit)?;
    let mut columns = check.columns()?;
    columns.advantages = check.fed("token_advantages")?;
    columns.returns = Some(check.fed("token_returns")?);
    let loss = check.objective("text2grad")?.loss(&columns).map_err(text)?;
    check.part(&loss, "policy_loss", "policy_loss")?;
    let scaled = check.number("value_coef")? * loss.parts["value_loss"];
    check.scalar("value_loss_scaled", scaled)?;
    check.close("value_loss_scaled", &[loss.value - loss.parts["policy_loss"]], &[scaled], 1e-9)?;
    check.rows("grad_token_logprobs", &loss.logprobs)?;
    check.rows("grad_token_new_values", loss.values.as_ref().ok_or("no value gradient")?)?;
    check.finish(&[
        "token_word_scores",
        "token_length_weights",
        "skipped_words",
        "token_rewards",
        "token_advantages",
        "token_returns",
    ])
}

pub fn poad(case: &Case) -> Result {
    let own = ["clip", "entropy_coef", "huber_delta", "value_loss"];
    let mut check = Check::new(case, &own, &["backup", "gamma", "lam"])?;
    if !check.has("loss") {
        return super::later(case);
    }
    check.set("one_sided", true);
    let mut columns = check.columns()?;
    columns.advantages = check.fed("token_normalized_advantages")?;
    columns.returns = Some(check.fed("token_returns")?);
    let released = check.objective("poad")?.loss(&columns).map_err(text)?;
    check.part(&released, "policy_updated", "policy_updated")?;
    // Loss and gradient of the reference are those before the step is dropped.
    check.set("kl_limit", serde_json::Value::Null);
    let loss = check.objective("poad")?.loss(&columns).map_err(text)?;
    if released.parts["policy_updated"] == 0.0 && released.logprobs.iter().any(|slope| *slope != 0.0) {
        return Err("a dropped step has a gradient".into());
    }
    check.part(&loss, "value_loss", "value_loss")?;
    check.part(&loss, "approx_kl", "approx_kl")?;
    check.rows("grad_token_new_values", loss.values.as_ref().ok_or("no value gradient")?)?;
    check.set("value_coef", 0.0);
    check.value_and_gradient(&check.objective("poad")?.loss(&columns).map_err(text)?)?;
    check.finish(&["token_advantages", "token_returns", "token_normalized_advantages"])
}

pub fn target_decoupling(case: &Case) -> Result {
    let own = ["clip", "value_coef", "entropy_coef", "clip_value_loss", "aux_weight"];
    let mut check = Check::new(case, &own, &["variant", "gammas", "lam", "actor_head", "temperature"])?;
    match check.text("variant") {
        "decoupled" | "error_routing" | "attention" => {}
        "aux_weight" => check.set("heads", "auxiliary"),
        _ => return Err("variant has another value".into()),
    }
    let mut columns = check.columns()?;
    columns.advantages = check.fed("step_advantages")?;
    for (signal, of) in
        [("token_head_values", "step_new_head_values"), ("token_old_head_values", "step_head_values")]
    {
        let values = columns.signals.remove(of).ok_or(format!("has no {of}"))?;
        columns.signals.insert(signal.to_owned(), values);
    }
    columns.signals.insert("token_head_returns".into(), check.fed("step_head_returns")?);
    let loss = check.objective("target_decoupling")?.loss(&columns).map_err(text)?;
    check.scalar("loss", loss.value)?;
    for part in ["policy_loss", "value_loss", "entropy"] {
        check.part(&loss, part, part)?;
    }
    let heads: Vec<f64> =
        (0..).map_while(|head| loss.parts.get(&format!("value_loss_{head}")).copied()).collect();
    check.list("value_loss_per_head", &heads)?;
    check.scalar_within("clip_fraction", moved(&columns, check.number("clip")?), SINGLE)?;
    check.finish(&[
        "step_head_advantages",
        "step_head_returns",
        "step_advantages",
        "step_routing_weights",
        "hack_rate",
        "attention_entropy",
    ])
}

/// The share of ratios outside the clip range, whichever branch acts: what this reference reports.
fn moved(columns: &meed_operators::objectives::Columns, clip: f64) -> f64 {
    let old = columns.old_logprobs.as_deref().unwrap_or_default();
    let outside =
        columns.logprobs.iter().zip(old).filter(|(now, old)| ((*now - *old).exp() - 1.0).abs() > clip);
    outside.count() as f64 / columns.tokens() as f64
}

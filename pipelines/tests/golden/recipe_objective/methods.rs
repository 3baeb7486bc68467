//! One function per method: what is fed, what is compared, what is the credit's.

use std::collections::BTreeMap;

use meed_operators::objectives::{Aggregate, Loss, Mode, Term, Weighting, Weights};
use meed_pipelines::objectives::recipes::{archer as critic, carr, light_if_tea, prorag};
use serde_json::Value;

use super::check::{Check, SINGLE, text};
use super::{batch, later};
use crate::case::{Case, Outcome};

type Result<T = Outcome> = std::result::Result<T, String>;

pub fn oreal(case: &Case) -> Result {
    if case.params.get("piece") != Some(&"losses".into()) {
        return later(case);
    }
    let own = [
        "token_reward_model",
        "rescale",
        "threshold_correct",
        "threshold_incorrect",
        "topk_correct",
        "topk_incorrect",
        "positive_times_advantage",
        "kl_coef",
        "positive_factor",
        "negative_factor",
    ];
    let mut check = Check::new(case, &own, &["piece", "kl"])?;
    let estimator =
        if check.text("kl") == "ref - logp" { "negative_k1" } else { check.text("kl") }.to_owned();
    check.set("kl_estimator", estimator);
    check.rows.retain(|row| row.get("selected") == Some(&true.into()));
    let mut columns = check.columns()?;
    let of_rollouts = columns.signals["advantage"].clone();
    columns.advantages =
        columns.ranges().zip(of_rollouts).flat_map(|(range, a)| range.map(move |_| a)).collect();
    let loss = check.objective("oreal")?.loss(&columns).map_err(text)?;
    check.value_and_gradient(&loss)?;
    for part in ["positive_loss", "negative_loss", "kl_loss"] {
        check.part(&loss, part, part)?;
    }
    if check.has("reward_model_loss") {
        check.part(&loss, "reward_model_loss", "reward_model_loss")?;
        check.rows("grad_token_rm_logits", &loss.signals["token_rm_logits"])?;
    }
    check.finish(&[])
}

pub fn guide(case: &Case) -> Result {
    if case.params.contains_key("filter") {
        return later(case);
    }
    let own = ["strategy", "value", "clip", "padded_width", "clip_removed"];
    let check = Check::new(case, &own, &["plain_weight", "scale", "eps", "aggregation"])?;
    if check.text("aggregation") != "mean over rollouts of the mean over tokens" {
        return Err("aggregation has another value".into());
    }
    let objective = check.objective("guide")?;
    let mut columns = check.columns()?;
    columns.advantages = check.fed("token_advantages")?;
    let loss = objective.loss(&columns).map_err(text)?;
    check.value_and_gradient(&loss)?;
    let mut rollouts = Vec::new();
    for (row, range) in check.rows.iter().zip(columns.ranges()) {
        let mut alone = batch::columns(std::slice::from_ref(row))?;
        alone.advantages = columns.advantages[range].to_vec();
        rollouts.push(objective.loss(&alone).map_err(text)?.value);
    }
    check.rows("rollout_losses", &rollouts)?;
    check.finish(&["token_advantages"])
}

pub fn r3l(case: &Case) -> Result {
    let mut check =
        Check::new(case, &["tau", "kl_coef", "aggregate"], &["baseline", "amplify", "full_reward"])?;
    let selected = case.expected.get("selected").and_then(Value::as_array).ok_or("expects no selected")?;
    check.rows.retain(|row| selected.contains(&row["rollout_id"]));
    check.set("tokens_eps", 1e-8);
    let mut columns = check.columns()?;
    columns.advantages = check.fed("token_advantages")?;
    columns.mask = check.fed("token_train_mask")?.iter().map(|on| *on != 0.0).collect();
    // The divergence is reported beside the loss, and has no part in it or in its gradient.
    let both = check.objective("r3l")?.loss(&columns).map_err(text)?;
    check.scalar("kl_loss", check.number("kl_coef")? * both.parts["kl"])?;
    check.set("kl_coef", 0.0);
    check.value_and_gradient(&check.objective("r3l")?.loss(&columns).map_err(text)?)?;
    check.finish(&["selected", "group_ids", "rewards", "token_train_mask", "token_advantages"])
}

pub fn a2tgpo(case: &Case) -> Result {
    let own = ["clip_low", "clip_high", "aggregate", "dynamic_clip"];
    let mut check = Check::new(case, &own, &["mode", "gamma", "alpha", "scale", "eps", "clip_amplitude"])?;
    check.set("turns", "equal_advantages");
    check.set("tokens_eps", 1e-8);
    let mut columns = check.columns()?;
    columns.advantages = check.fed("token_advantages")?;
    if check.has("token_clip_scales") {
        columns.signals.insert("token_clip_scales".into(), check.fed("token_clip_scales")?);
    } else {
        check.set("dynamic_clip", false);
    }
    let loss = check.objective("a2tgpo")?.loss(&columns).map_err(text)?;
    check.value_and_gradient(&loss)?;
    // Metrics of the reference are token means, whatever the aggregate.
    check.set("aggregate", "token_mean");
    let metrics = check.objective("a2tgpo")?.loss(&columns).map_err(text)?;
    check.part(&metrics, "clip_fraction", "clip_fraction")?;
    check.part(&metrics, "approx_kl", "ppo_kl")?;
    check.finish(&["token_advantages", "step_advantages", "token_clip_scales", "step_clip_scales"])
}

pub fn a3(case: &Case) -> Result {
    let credit = [
        "scopes",
        "scope_weights",
        "trie_min_count",
        "weight_trie",
        "weight_tree",
        "support_prior",
        "decision_gamma",
        "match_tau",
        "time_decay",
        "bound",
        "min_scale",
        "eps",
    ];
    let mut check = Check::new(case, &["clip"], &credit)?;
    check.set("kl_coef", 0.0);
    let mut columns = check.columns()?;
    columns.advantages = check.fed("token_advantages")?;
    let loss = check.objective("a3")?.loss(&columns).map_err(text)?;
    check.value_and_gradient(&loss)?;
    check.scalar_within("clip_fraction", loss.parts["clip_fraction"], SINGLE)?;
    check.part(&loss, "approx_kl", "ppo_kl")?;
    check.finish(&[
        "step_advantages",
        "step_backbone",
        "step_trie",
        "step_tree",
        "step_labels",
        "token_advantages",
    ])
}

pub fn slate(case: &Case) -> Result {
    let check = Check::new(case, &["clip", "kl_coef"], &["budget", "bonus", "temperature", "eps"])?;
    let objective = check.objective("slate")?;
    let advantages = check.fed("advantages")?;
    let mut questions: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (row, of) in check.rows.iter().enumerate() {
        questions.entry(of["question_id"].as_str().unwrap_or_default().to_owned()).or_default().push(row);
    }
    let of_all = check.columns()?;
    let mut gradient = vec![0.0; of_all.tokens()];
    let wanted = case.expected.get("objectives").and_then(Value::as_object).ok_or("expects no objectives")?;
    let (mut got, mut expected) = (Vec::new(), Vec::new());
    for (question, members) in &questions {
        let rows: Vec<_> = members.iter().map(|&row| check.rows[row].clone()).collect();
        let mut columns = batch::columns(&rows)?;
        columns.advantages = columns
            .ranges()
            .zip(members)
            .flat_map(|(range, &row)| vec![advantages[row]; range.len()])
            .collect();
        let loss = objective.loss(&columns).map_err(text)?;
        // The reference gives what is maximised.
        got.push(-loss.value);
        expected.push(wanted.get(question).and_then(Value::as_f64).ok_or("an objective is no number")?);
        let mut at = 0;
        for &row in members {
            for t in of_all.range(row) {
                gradient[t] = -loss.logprobs[at];
                at += 1;
            }
        }
    }
    check.close("objectives", &got, &expected, 1e-9)?;
    check.rows("grad_token_logprobs", &gradient)?;
    check.finish(&["rewards", "advantages", "selection_probabilities"])
}

pub fn archer(case: &Case) -> Result {
    let mut check = Check::new(case, &["gamma", "token_baseline"], &["tau"])?;
    check.set("baseline_mean", "padded");
    let columns = check.columns()?;
    let loss = check.objective("archer")?.loss(&columns).map_err(text)?;
    for part in ["q1_loss", "q2_loss", "v1_loss", "v2_loss", "critic_loss", "policy_loss", "baseline_loss"] {
        check.part(&loss, part, part)?;
    }
    check.scalar("policy_loss", loss.value)?;
    check.rows("grad_token_logprobs", &loss.logprobs)?;
    for signal in ["step_q1", "step_q2", "step_v1", "step_v2"] {
        check.rows(&format!("grad_{signal}"), &loss.signals[signal])?;
    }
    if check.has("grad_token_baselines") {
        check.rows("grad_token_baselines", &loss.signals["token_baselines"])?;
    }

    let of = |key: &str| -> Vec<f64> {
        let values = case.expected["soft_update"][key].as_array().cloned().unwrap_or_default();
        values.iter().filter_map(Value::as_f64).collect()
    };
    let tau = check.number("tau")?;
    let moved: Vec<f64> = of("before")
        .iter()
        .zip(of("online"))
        .map(|(&slow, fast)| critic::soft_update(slow, fast, tau))
        .collect();
    check.close("soft_update", &moved, &of("after"), 1e-9)?;
    check.finish(&["step_target_q_1", "step_target_q_2", "step_advantages"])
}

pub fn appo(case: &Case) -> Result {
    if !case.params.contains_key("objective") {
        return later(case);
    }
    let own = [
        "clip_low",
        "clip_high",
        "dual_clip",
        "decay",
        "future_clip",
        "high_only",
        "weight",
        "safety",
        "aggregate",
    ];
    let check = Check::new(case, &own, &["objective"])?;
    if check.text("objective") != "future_kl" {
        return Err("objective has another value".into());
    }
    let columns = check.columns()?;
    let loss = check.objective("appo")?.loss(&columns).map_err(text)?;
    check.value_and_gradient(&loss)?;
    check.part(&loss, "clip_fraction", "clip_fraction")?;
    check.part(&loss, "dual_clip_fraction", "dual_clip_fraction")?;
    check.part(&loss, "approx_kl", "ppo_kl")?;
    check.rows("token_future_weights", &loss.outputs["token_future_weights"])?;
    check.finish(&[])
}

pub fn carr(case: &Case) -> Result {
    if case.params.get("piece") != Some(&"importance mask".into()) {
        return later(case);
    }
    let check = Check::new(case, &["low", "high"], &["piece"])?;
    let columns = check.columns()?;
    let mut weights = Weights::of(&columns);
    carr::token_weight(check.number("low")?, check.number("high")?)
        .weigh(&columns, &[], &mut weights)
        .map_err(text)?;
    let losses = &columns.signals["token_losses"];
    let weighted: Vec<f64> = losses.iter().enumerate().map(|(t, loss)| loss * weights.factor(t)).collect();
    check.rows("token_losses_weighted", &weighted)?;
    check.finish(&[])
}

pub fn prorag(case: &Case) -> Result {
    let own = ["clip_low", "clip_high", "sequence_cap"];
    let mut check = Check::new(case, &own, &["step_format", "step_weight", "eps", "aggregation"])?;
    check.set(
        "aggregate",
        match check.text("aggregation") {
            "mean over rollouts of the mean over tokens" => "seq_mean_token_mean",
            "sum over trainable tokens / number of ALL completion tokens (masked ones included)" => {
                "all_tokens"
            }
            _ => return Err("aggregation has another value".into()),
        },
    );
    let mut columns = check.columns()?;
    columns.advantages = check.fed("token_advantages")?;
    check.value_and_gradient(&check.objective("prorag")?.loss(&columns).map_err(text)?)?;
    let mut later = vec!["outcome_rewards", "step_scores", "outcome_advantages", "token_advantages"];
    match check.number("sequence_cap") {
        Ok(cap) => {
            let mut weights = Weights::of(&columns);
            prorag::sequence_weight(cap).weigh(&columns, &[], &mut weights).map_err(text)?;
            let of_rollouts: Vec<f64> = columns.ranges().map(|range| weights.factor(range.start)).collect();
            check.rows("sequence_weights", &of_rollouts)?;
        }
        // Without a cap the reference has no weights: null.
        Err(_) => later.push("sequence_weights"),
    }
    check.finish(&later)
}

pub fn light_if(case: &Case) -> Result {
    if case.params.get("piece") == Some(&"entropy sft".into()) {
        return light_if_sft(case);
    }
    let check = Check::new(case, &[], &["piece", "cov_scale", "cov_cap", "aggregation"])?;
    let mode = match check.text("aggregation") {
        "token-mean" => Mode::TokenMean,
        "seq-mean-token-mean" => Mode::SequenceMeanTokenMean,
        _ => return Err("aggregation has another value".into()),
    };
    let (scale, cap) = (check.number("cov_scale")?, check.number("cov_cap")?);
    let columns = check.columns()?;
    let mut loss = Loss::zero(&columns);
    // As released, the gradient flows through the coefficients.
    light_if_tea::CovarianceEntropy { scale, cap, detach: false }
        .add(&columns, &Aggregate { tokens_eps: 1e-8, ..mode.into() }, &mut loss)
        .map_err(text)?;
    let negated = |gradient: &[f64]| gradient.iter().map(|slope| -slope).collect::<Vec<_>>();
    check.part(&loss, "entropy_loss", "entropy_loss")?;
    check.part(&loss, "mean_coefficient", "mean_coefficient")?;
    check.rows("grad_token_logprobs", &negated(&loss.logprobs))?;
    check.rows("grad_token_entropies", &negated(loss.entropies.as_ref().ok_or("no entropy gradient")?))?;
    check.finish(&[])
}

fn light_if_sft(case: &Case) -> Result {
    let check = Check::new(case, &["entropy_coef", "token_ratio", "items_in_batch"], &["piece"])?;
    let mut columns = check.columns()?;
    let logits = &columns.signals["token_vocab_logits"];
    let vocabulary = logits.len() / columns.tokens();
    let ids = columns.signals["token_ids"].clone();
    let probabilities: Vec<Vec<f64>> = logits
        .chunks(vocabulary)
        .map(|logits| {
            let sum: f64 = logits.iter().map(|logit| logit.exp()).sum();
            logits.iter().map(|logit| logit.exp() / sum).collect()
        })
        .collect();
    let entropy = |p: &Vec<f64>| -p.iter().map(|p| p * p.ln()).sum::<f64>();
    columns.entropies = Some(probabilities.iter().map(entropy).collect());
    columns.logprobs = probabilities.iter().zip(&ids).map(|(p, id)| p[*id as usize].ln()).collect();
    let loss = check.objective("light_if_sft")?.loss(&columns).map_err(text)?;
    check.scalar("loss", loss.value)?;
    let mut gradient = Vec::new();
    for (t, p) in probabilities.iter().enumerate() {
        for (token, p) in p.iter().enumerate() {
            let is = if ids[t] as usize == token { 1.0 } else { 0.0 };
            gradient.push(loss.logprobs[t] * (is - p));
        }
    }
    check.rows("grad_token_vocab_logits", &gradient)?;
    check.finish(&[])
}

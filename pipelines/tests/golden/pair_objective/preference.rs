//! Cases of preference objectives.

use serde_json::{Value, json};

use super::Checked;
use super::batch::{Batch, output, settings};
use super::check::Check;
use crate::case::Outcome;

pub fn dpo(case: &Value) -> Checked {
    let mut batch = Batch::of(case)?.logprobs("token_logprobs", Some("token_ref_logprobs"), None)?;
    if case["params"]["wpo_weighting"] == true {
        let squared = batch.column("token_log_sum_squared_probs")?;
        batch.signal("token_log_sum_squared_probs", squared);
    }
    let loss = batch.loss("dpo", settings(case, &[]))?;
    let mut check = Check::of(case)?;
    if case["params"]["divergence"] == "alpha_divergence" {
        // The reference takes the exponential in single precision.
        check.least = 1e-6;
    }
    check.number("loss", loss.value)?;
    check.metrics(&loss)?;
    if check.expected.contains_key("grad_token_logprobs") {
        check.positions("grad_token_logprobs", &batch, &loss.logprobs)?;
    }
    check.done()
}

pub fn rise(case: &Value) -> Checked {
    if case["params"]["part"] == "pairs" {
        return Ok(Outcome::Listed(
            "pairs from edited steps: building preference data is not an objective".into(),
        ));
    }
    let batch = Batch::of(case)?.logprobs("token_logprobs", Some("token_ref_logprobs"), None)?;
    let loss = batch.loss("rise", settings(case, &["part"]))?;
    let mut check = Check::of(case)?;
    check.number("loss", loss.value)?;
    check.metrics(&loss)?;
    check.positions("grad_token_logprobs", &batch, &loss.logprobs)?;
    check.done()
}

pub fn tgdpo(case: &Value) -> Checked {
    let mut batch = Batch::of(case)?.logprobs("token_logprobs", Some("token_ref_logprobs"), None)?;
    let model = batch.column("token_rm_logprobs")?;
    batch.signal("token_rm_logprobs", model);
    let loss = batch.loss("tgdpo", settings(case, &[]))?;
    let mut check = Check::of(case)?;
    check.number("loss", loss.value)?;
    check.by_id("pair_losses", &batch.groups, output(&loss, "pair_losses")?)?;
    check.positions("grad_token_logprobs", &batch, &loss.logprobs)?;
    check.done()
}

pub fn mm_rlhf(case: &Value) -> Checked {
    let mut batch = Batch::of(case)?.logprobs("token_logprobs", Some("token_ref_logprobs"), None)?;
    let mut check = Check::of(case)?;
    let implicit = case["params"]["mode"] == "implicit";
    if implicit {
        let drawn = check.take("drawn")?;
        let drawn = drawn.as_array().ok_or("drawn is no list")?;
        let on =
            batch.groups.iter().map(|group| f64::from(u8::from(drawn.contains(&json!(group))))).collect();
        batch.signal("pair_drawn", on);
    } else {
        let pairs = batch.columns.pairs.iter();
        let margins = pairs.map(|pair| batch.rows[pair.chosen]["margin_factor"].as_f64().unwrap_or(f64::NAN));
        let margins = margins.collect();
        batch.signal("pair_margin_factor", margins);
    }
    let mut settings = settings(case, &[]);
    settings.insert("sft_weight".into(), json!(0.0));
    let loss = batch.loss("mm_rlhf", settings)?;
    check.number("loss", loss.value)?;
    check.by_id("pair_losses", &batch.groups, output(&loss, "pair_losses")?)?;
    check.by_id("betas", &batch.groups, output(&loss, "betas")?)?;
    check.by_id("implicit_rewards", &batch.ids, output(&loss, "implicit_rewards")?)?;
    if implicit {
        check.by_id("draw_weights", &batch.groups, output(&loss, "draw_weights")?)?;
    }
    // The gradient with respect to a sum is that of each of its tokens.
    let sums = check.take("grad_sequence_logprobs")?;
    for (rollout, id) in batch.ids.iter().enumerate() {
        for t in batch.columns.range(rollout).filter(|&t| batch.columns.mask[t]) {
            check.close(&format!("grad_sequence_logprobs of {id}"), loss.logprobs[t], &sums[id], 1e-9)?;
        }
    }
    check.done()
}

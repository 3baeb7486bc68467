//! Cases of judges that learn.

use serde_json::Value;

use super::batch::{Batch, output, part, settings};
use super::check::Check;
use super::{CREDIT, Checked};

pub fn prime(case: &Value) -> Checked {
    let mut check = Check::of(case)?;
    if case["params"].get("filter").is_some() {
        check.left(&["kept_rollouts"], CREDIT);
        return check.done();
    }
    let batch = Batch::of(case)?.logprobs(
        "token_prm_logprobs",
        Some("token_ref_logprobs"),
        Some("token_old_logprobs"),
    )?;
    let of_credit =
        ["granularity", "score_norm", "gamma_process", "gamma_outcome", "whiten_eps", "score_norm_eps"];
    let loss = batch.loss("prime", settings(case, &of_credit))?;
    check.number("prm_loss", loss.value)?;
    check.number("pairwise_accuracy", part(&loss, "pairwise_accuracy")?)?;
    check.positions("grad_token_prm_logprobs", &batch, &loss.logprobs)?;
    check.left(&["token_scores", "token_returns", "token_advantages"], CREDIT);
    check.done()
}

pub fn implicit_prm(case: &Value) -> Checked {
    let mut check = Check::of(case)?;
    if case["params"]["piece"] == "step reward" {
        let scores = ["score_min_single", "score_sum_single", "score_min_cumulative", "score_sum_cumulative"];
        check.left(&["step_rewards", "step_cumulative"], CREDIT);
        check.left(&scores, CREDIT);
        return check.done();
    }
    let mut batch = Batch::of(case)?.logprobs("token_prm_logprobs", Some("token_ref_logprobs"), None)?;
    if case["params"]["loss"] == "kto" {
        let list = |name: &str| -> Vec<f64> {
            case["params"][name].as_array().into_iter().flatten().filter_map(Value::as_f64).collect()
        };
        let (policy, reference) = (list("kl_policy_logps"), list("kl_reference_logps"));
        batch.signal("kl_log_ratios", policy.iter().zip(&reference).map(|(p, r)| p - r).collect());
    }
    let loss =
        batch.loss("implicit_prm", settings(case, &["piece", "kl_policy_logps", "kl_reference_logps"]))?;
    check.number("loss", loss.value)?;
    check.positions("grad_token_prm_logprobs", &batch, &loss.logprobs)?;
    if check.expected.contains_key("outcome_rewards") {
        check.by_id("outcome_rewards", &batch.ids, output(&loss, "outcome_rewards")?)?;
    }
    if check.expected.contains_key("kl") {
        check.number("kl", part(&loss, "kl")?)?;
    }
    check.done()
}

pub fn istar(case: &Value) -> Checked {
    let mut batch = Batch::of(case)?.logprobs("token_prm_logprobs", None, Some("token_old_logprobs"))?;
    let policy_steps = |row: &Value| {
        let kinds = row["step_kinds"].as_array().into_iter().flatten();
        kinds.filter(|kind| *kind != "environment").count() as f64
    };
    let steps = batch.rows.iter().map(policy_steps).collect();
    batch.signal("policy_steps", steps);
    let of_credit = ["estimator", "step_weight", "normalise", "invalid_action_penalty", "eps"];
    let loss = batch.loss("istar", settings(case, &of_credit))?;
    let mut check = Check::of(case)?;
    check.number("loss", loss.value)?;
    check.positions("grad_token_prm_logprobs", &batch, &loss.logprobs)?;
    check.left(&["token_advantages", "step_advantages", "step_rewards"], CREDIT);
    check.done()
}

pub fn spa_rl(case: &Value) -> Checked {
    let mut check = Check::of(case)?;
    if case["params"]["variant"] != "estimator" {
        check.left(&["step_values", "token_rewards"], CREDIT);
        return check.done();
    }
    let mut batch = Batch::of(case)?;
    let tokens = batch.columns.tokens();
    let (mut values, mut ends, mut places) = (vec![0.0; tokens], vec![0.0; tokens], Vec::new());
    for (rollout, row) in batch.rows.iter().enumerate() {
        let list = |name: &str| row[name].as_array().cloned().unwrap_or_default();
        let start = batch.columns.offsets[rollout];
        let steps = list("step_ends").into_iter().zip(list("step_kinds")).zip(list("step_contributions"));
        let mut of_steps = Vec::new();
        for ((end, kind), contribution) in steps {
            let last = start + end.as_u64().ok_or("a step end is no number")? as usize - 1;
            of_steps.push(last);
            if kind != "environment" {
                values[last] = contribution.as_f64().ok_or("a contribution is no number")?;
                ends[last] = 1.0;
            }
        }
        places.push(of_steps);
    }
    batch.columns.values = Some(values);
    batch.signal("turn_ends", ends);
    let loss = batch.loss("spa_rl", settings(case, &["variant"]))?;
    check.number("loss", loss.value)?;
    check.by_id("predictions", &batch.ids, output(&loss, "predictions")?)?;
    let gradient = loss.values.ok_or("the loss has no gradient of values")?;
    let wanted = check.take("grad_step_contributions")?;
    for (id, places) in batch.ids.iter().zip(places) {
        let got: Vec<f64> = places.into_iter().map(|t| gradient[t]).collect();
        let wanted = wanted[id].as_array().ok_or("a rollout has no gradient")?;
        check.list(&format!("grad_step_contributions of {id}"), &got, wanted)?;
    }
    check.done()
}

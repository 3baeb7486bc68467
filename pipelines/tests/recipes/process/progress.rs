//! PAV and VSRM: differences of success.

use serde_json::{Value, json};

use super::{advantages, in_loss, lacks, signal, steps};
use crate::support::{close, given};

fn pav(settings: Value) -> meed_pipelines::InMemory {
    let columns = json!({
        "reward": 1.0, "prompt_prover_success": 0.3, "step_prover_success": [0.5, 0.2, 0.8],
        "step_policy_success": [0.0, 0.5, 1.0], "token_values": [0.5, 0.5, 0.5, 0.5],
    });
    given("pav", settings, json!([steps(&[1, 2, 1], columns)]))
}

#[test]
fn progress_under_the_prover_is_added_to_the_outcome() {
    let best = pav(json!({ "baseline": "none" }));
    close(&signal(&best, "r0", "step_progress"), &[0.1776, -0.3471, 0.4080]);
    close(&signal(&best, "r0", "step_effective_rewards"), &[1.8880, -0.7355, 3.0400]);
    close(&advantages(&best, "r0"), &[1.8880, -0.7355, -0.7355, 3.0400]);
    close(&advantages(&pav(json!({})), "r0"), &[1.3880, -1.2355, -1.2355, 2.5400]);
    let raw = pav(json!({ "best_of": 1, "baseline": "none" }));
    close(&signal(&raw, "r0", "step_progress"), &[0.2, -0.3, 0.6]);
    let estimated = pav(json!({ "best_of": 1, "policy_value": "estimated", "baseline": "none" }));
    close(&signal(&estimated, "r0", "step_effective_rewards"), &[1.0, -1.0, 4.0]);
    let without = pav(json!({ "alpha": 0, "baseline": "none" }));
    close(&advantages(&without, "r0"), &[1.0; 4]);
}

#[test]
fn rollouts_without_steps_have_the_outcome_and_missing_scores_take_the_rollout_out() {
    let rows = json!([
        steps(&[], json!({ "reward": 1.0, "prompt_prover_success": 0.0, "step_prover_success": [] })),
        steps(
            &[1, 1],
            json!({ "reward": 1.0, "prompt_prover_success": 0.5, "step_prover_success": [0.5, null] })
        ),
    ]);
    let given = given("pav", json!({ "baseline": "none" }), rows);
    close(&advantages(&given, "r0"), &[1.0]);
    assert!(!in_loss(&given, "r1"));
}

fn vsrm(settings: Value, columns: Value) -> meed_pipelines::InMemory {
    let mut settings = settings;
    settings["values"] = json!("none");
    given("vsrm", settings, json!([steps(&[1, 1, 1, 1], columns)]))
}

#[test]
fn a_step_that_changes_nothing_gets_a_share_of_the_next_change() {
    let columns = json!({
        "reward": 1.0, "prompt_prover_success": 0.25, "step_prover_success": [0.25, 0.75, 0.75, 1.0],
    });
    let given_ = vsrm(json!({}), columns.clone());
    close(&signal(&given_, "r0", "step_progress"), &[0.0, 0.5, 0.0, 0.25]);
    close(&signal(&given_, "r0", "step_shaped_rewards"), &[0.35, 0.5, 0.175, 0.25]);
    close(&advantages(&given_, "r0"), &[2.275, 1.925, 1.425, 1.25]);
    let mut formatted = columns.clone();
    formatted["format_reward"] = json!(0.5);
    let both = vsrm(json!({ "outcome_columns": ["reward", "format_reward"] }), formatted);
    close(&advantages(&both, "r0"), &[2.775, 2.425, 1.925, 1.75]);
    let mut level = columns;
    level["step_prover_success"] = json!([0.25, 0.25, 0.25, 0.3]);
    close(&signal(&vsrm(json!({}), level.clone()), "r0", "step_shaped_rewards"), &[0.0; 4]);
    level["prompt_prover_success"] = json!(0.0);
    let first = vsrm(json!({ "base": "first" }), level.clone());
    close(&signal(&first, "r0", "step_progress"), &[0.0, 0.0, 0.0, 0.05]);
    close(&signal(&vsrm(json!({}), level), "r0", "step_progress"), &[0.25, 0.0, 0.0, 0.05]);
}

#[test]
fn without_steps_there_is_the_outcome() {
    let row = json!([{
        "reward": 1.0, "token_mask": [true, true], "step_ends": [], "prompt_prover_success": 0.5,
        "step_prover_success": [],
    }, steps(&[1], json!({ "reward": 0.0, "prompt_prover_success": 0.5, "step_prover_success": [0.0] }))]);
    let given = given("vsrm", json!({ "values": "none" }), row);
    close(&advantages(&given, "r0"), &[1.0, 1.0]);
    close(&advantages(&given, "r1"), &[-0.5]);
}

#[test]
fn the_error_of_a_missing_column_names_its_provider() {
    let bare = json!([steps(&[1], json!({ "reward": 1.0, "step_prover_success": [0.5] }))]);
    lacks("pav", json!({}), bare.clone(), "prompt_prover_success", "completions sampled from the prompt");
    lacks("vsrm", json!({ "base": "first" }), bare, "token_values", "critic");
}

/// A rollout with a part of a critic's values is left out of what whitens the others.
#[test]
fn unknown_values_whiten_nobody() {
    let row = |values: Value| {
        json!({ "reward": 1.0, "token_values": values, "token_mask": [true, true], "step_ends": [2],
            "step_kinds": ["policy"], "step_correct": [true], "step_prover_success": [0.5], "prompt_prover_success": 0.2 })
    };
    let settings = json!({ "whiten": "batch_tokens" });
    let known = given("vsrm", settings.clone(), json!([row(json!([0.1, 0.9])), row(json!([0.4, 0.3]))]));
    let rows = json!([row(json!([0.1, 0.9])), row(json!([0.4, 0.3])), row(json!([0.9, null]))]);
    let partly = given("vsrm", settings, rows);
    close(&advantages(&partly, "r0"), &advantages(&known, "r0"));
    assert!(!in_loss(&partly, "r2"));
}

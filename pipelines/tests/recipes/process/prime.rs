use serde_json::{Value, json};

use super::{advantages, in_loss, lacks, signal};
use crate::support::{close, given};

fn rollout(group: &str, ratios: &[f64], reward: f64) -> Value {
    json!({
        "group_id": group, "reward": reward, "token_mask": vec![true; ratios.len()],
        "token_prm_logprobs": ratios, "token_ref_logprobs": vec![0.0; ratios.len()],
    })
}

fn pair() -> Value {
    json!([rollout("g", &[0.2, -0.1, 0.3], 1.0), rollout("g", &[0.1, 0.05], 0.0)])
}

#[test]
fn the_numbers_of_the_section() {
    let given = given("prime", json!({}), pair());
    close(&signal(&given, "r0", "token_scores"), &[0.4999988, -0.2499994, 0.7499981]);
    close(&signal(&given, "r0", "mean_score"), &[0.3333325]);
    close(&signal(&given, "r0", "returns"), &[1.4374989, 0.9583334, 1.9791642]);
    close(&signal(&given, "r1", "returns"), &[-1.2916659, -1.2708327]);
    close(&advantages(&given, "r0"), &[0.6965156, 0.3860538, 1.0474724]);
    close(&advantages(&given, "r1"), &[-1.0717701, -1.0582717]);
}

#[test]
fn the_paper_subtracts_the_mean_of_the_others() {
    let settings = json!({ "baseline": "paper", "score_norm": "none", "process_coef": 0.05 });
    let given = given("prime", settings, pair());
    let (own, others) = ([0.2, -0.1, 0.3].map(|q| 0.05 * q), 0.05 * 0.075);
    let total: f64 = own.iter().sum::<f64>() - 3.0 * others + 1.0;
    close(&signal(&given, "r0", "returns")[..1], &[total]);
}

#[test]
fn without_process_rewards_it_is_the_whitened_leave_one_out_outcome() {
    let rows = json!([
        rollout("g", &[0.2, -0.1, 0.3], 1.0),
        rollout("g", &[0.1, 0.05], 0.0),
        rollout("h", &[0.3], 1.0),
        rollout("h", &[0.3, 0.4], 1.0),
    ]);
    let prime = given("prime", json!({ "process_coef": 0, "filter": null }), rows.clone());
    let whitened = json!({ "whiten": "batch_tokens", "whiten_eps_var": 1e-8 });
    let rloo = given("rloo", whitened, rows);
    for rollout in ["r0", "r1", "r2", "r3"] {
        close(&advantages(&prime, rollout), &advantages(&rloo, rollout));
    }
}

#[test]
fn groups_outside_of_the_band_and_singletons_do_not_count() {
    let rows = json!([
        rollout("g", &[0.2, -0.1, 0.3], 1.0),
        rollout("g", &[0.1, 0.05], 0.0),
        rollout("h", &[9.0], 1.0),
        rollout("h", &[9.0, 9.0], 1.0),
    ]);
    let banded = given("prime", json!({}), rows.clone());
    assert!(!in_loss(&banded, "r2") && !in_loss(&banded, "r3"));
    close(&advantages(&banded, "r0"), &[0.6965156, 0.3860538, 1.0474724]);
    let alone = json!([rollout("g", &[0.2, 0.3], 1.0)]);
    close(&advantages(&given("prime", json!({ "filter": null }), alone), "r0"), &[0.0, 0.0]);
}

#[test]
fn the_error_of_a_missing_column_names_its_provider() {
    let bare = json!([{ "reward": 1.0, "token_mask": [true], "token_ref_logprobs": [0.0] }]);
    lacks("prime", json!({}), bare, "token_prm_logprobs", "objective `prime`");
}

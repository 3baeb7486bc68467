//! Recipes of the family `baselines` that stand for a study of their own.

use serde_json::{Value, json};

use crate::support::{advantages, close, given, in_loss, list, signal};

fn response(finished: bool) -> Value {
    json!({
        "reward": 1.0, "ends_with_eos": finished, "token_mask": [true, true, true],
        "token_old_logprobs": [-1.0, -0.8, -0.6], "token_ref_logprobs": [-1.1, -0.7, -0.9],
        "token_values": [0.2, 0.3, 0.5],
    })
}

#[test]
fn dpo_vs_ppo_has_the_numbers_of_its_section() {
    let result = given("dpo_vs_ppo", json!({}), json!([response(true)]));
    close(&signal(&result, "r0", "token_rewards"), &[-0.005, 0.005, 0.985]);
    close(&list(&result, "r0", "token_returns"), &[0.9274625, 0.96575, 0.985]);
    close(&advantages(&result, "r0"), &[0.80462372, 0.31488583, -1.11950955]);
    let plain = given("dpo_vs_ppo", json!({"whiten": "none"}), json!([response(true)]));
    close(&advantages(&plain, "r0"), &[0.7274625, 0.66575, 0.485]);
}

#[test]
fn dpo_vs_ppo_punishes_a_response_without_an_end() {
    let result =
        given("dpo_vs_ppo", json!({"gain": 2.0, "bias": 0.5}), json!([response(true), response(false)]));
    close(&signal(&result, "r0", "score"), &[2.5]);
    close(&signal(&result, "r1", "score"), &[-10.0]);
}

#[test]
fn dpo_vs_ppo_is_gae_where_nothing_is_penalised() {
    let settings = json!({"kl": null, "whiten": "none"});
    let ours = given("dpo_vs_ppo", settings, json!([response(true)]));
    let gae = given("gae", json!({}), json!([response(true)]));
    assert_eq!(advantages(&ours, "r0"), advantages(&gae, "r0"));
}

#[test]
fn dpo_vs_ppo_gives_no_advantage_to_the_only_token_of_a_batch() {
    let alone = json!([{
        "reward": 1.0, "ends_with_eos": true, "token_mask": [true], "token_old_logprobs": [-1.0],
        "token_ref_logprobs": [-1.0], "token_values": [0.2],
    }]);
    close(&advantages(&given("dpo_vs_ppo", json!({}), alone), "r0"), &[0.0]);
}

#[test]
fn dpo_vs_ppo_needs_no_score_of_a_response_without_an_end() {
    let unscored = |finished: bool| {
        let mut row = response(finished);
        row["reward"] = Value::Null;
        row
    };
    let result = given("dpo_vs_ppo", json!({}), json!([unscored(false), unscored(true), response(true)]));
    close(&signal(&result, "r0", "score"), &[-10.0]);
    assert!(in_loss(&result, "r0") && !in_loss(&result, "r1"));
}

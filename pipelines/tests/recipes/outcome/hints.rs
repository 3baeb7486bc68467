//! Guide: groups by whether they were sampled with a hint.

use serde_json::json;

use crate::support::{advantages, close, given, list, signal};

#[test]
fn hinted_groups_keep_their_weight() {
    let row = |group: &str, hinted: bool, reward: f64| json!({"group_id": group, "rollout_id": format!("{group}{reward}"), "hinted": hinted, "reward": reward});
    let rows = json!([row("p", false, 1.0), row("p", false, 0.0), row("h", true, 1.0), row("h", true, 0.0)]);
    let result = given("guide", json!({"plain_weight": 0.5, "scale": "none"}), rows);
    close(&advantages(&result, "p1"), &[0.25]);
    close(&advantages(&result, "h0"), &[-0.5]);
}

#[test]
fn it_is_grpo_without_hints_and_the_filter_drops_what_says_nothing() {
    let row = |group: &str, number: usize, reward: f64| json!({"group_id": group, "rollout_id": format!("{group}{number}"), "reward": reward});
    let rows = || {
        json!([
            row("a", 0, 1.0),
            row("a", 1, 0.0),
            row("b", 0, 1.0),
            row("b", 1, 1.0),
            row("c", 0, 0.0),
            row("c", 1, 0.0)
        ])
    };
    let result = given("guide", json!({"filter": "accuracy"}), rows());
    let grpo = given("grpo", json!({}), rows());
    for rollout in ["a0", "a1", "b0", "c1"] {
        close(&advantages(&result, rollout), &advantages(&grpo, rollout));
    }
    for (rollout, weight, reroll) in [("a0", 1.0, 0.0), ("b1", 0.0, 0.0), ("c0", 0.0, 1.0)] {
        close(&list(&result, rollout, "token_weights"), &[weight]);
        close(&signal(&result, rollout, "reroll"), &[reroll]);
    }
}

//! oreal.

use serde_json::json;

use crate::support::{advantages, close, given, in_loss, signal};

/// The numeric check of the section.
#[test]
fn advantages_and_token_weights() {
    let mut rollouts = json!([
        { "reward": 1, "token_mask": [true, true, true, true], "token_rm_logits": [0.2, 1.0, -0.5, 2.0] },
        { "reward": -1, "token_mask": [true, true, true, true], "token_rm_logits": [0.2, 1.0, -0.5, 2.0] },
        { "reward": -1, "token_mask": [true], "token_rm_logits": [-3.0] },
        { "reward": -1, "token_mask": [true], "token_rm_logits": [0.0] },
    ]);
    let got = given("oreal", json!({ "selection": "all" }), rollouts.clone());
    close(&advantages(&got, "r0"), &[2.0; 4]);
    close(&advantages(&got, "r3"), &[-2.0 / 3.0]);
    close(&signal(&got, "r0", "token_weights"), &[0.09966799, 0.29131261, 0.11614021, 0.32524367]);
    close(&signal(&got, "r1", "token_weights"), &[0.0; 4]);
    let wrong = 2.0 * (1.0 - 1.0 / (1.0 + 3f64.exp())) - 1.0;
    close(&signal(&got, "r2", "token_weights"), &[wrong]);
    // Without a reward it counts as incorrect.
    rollouts[3]["reward"] = json!(null);
    let got = given("oreal", json!({ "selection": "all" }), rollouts);
    close(&advantages(&got, "r0"), &[2.0; 4]);
}

/// Of four probabilities the two largest have a weight, from 0 to 1; with one, or equal ones, all of it.
#[test]
fn weights_of_the_top_tokens() {
    let logits = json!([[0.2, 1.0, -0.5, 2.0], [0.0, 0.0, 0.0, 0.0]]);
    let rollouts = json!([
        { "reward": 1, "token_mask": [true, true, true, true], "token_rm_logits": logits[0] },
        { "reward": -1, "token_mask": [true, true, true, true], "token_rm_logits": logits[1] },
    ]);
    let weights = |share: f64| {
        let settings = json!({ "rescale": "topk", "topk_correct": share, "topk_incorrect": share });
        let got = given("oreal", settings, rollouts.clone());
        ["r0", "r1"].map(|id| signal(&got, id, "token_weights"))
    };
    let [right, wrong] = weights(0.5);
    close(&right, &[0.0, 0.0, 0.0, 1.0]);
    close(&wrong, &[1.0, 1.0, 0.0, 0.0]);
    let [right, _] = weights(0.75);
    let [p1, p2, p3] = [0.6, 0.7 / 3.0, 0.675].map(|mean: f64| 1.0 / (1.0 + (-mean).exp()));
    close(&right, &[0.0, (p1 - p2) / (p3 - p2), 0.0, 1.0]);
    assert_eq!(weights(0.2), [[0.0; 4], [0.0; 4]], "no token is chosen");
}

#[test]
fn one_of_each_kind_is_trained_on_and_no_group_of_one_kind() {
    let rollout =
        |group: &str, reward: i32| json!({ "group_id": group, "reward": reward, "token_mask": [true, true] });
    let rollouts = json!([
        rollout("a", 1),
        rollout("a", 1),
        rollout("a", -1),
        rollout("a", -1),
        rollout("b", 1),
        rollout("b", 1),
        rollout("c", 1),
    ]);
    let mut pairs = std::collections::BTreeSet::new();
    for seed in 0..16 {
        let got = given("oreal", json!({ "seed": seed }), rollouts.clone());
        let trained: Vec<bool> = (0..7).map(|i| in_loss(&got, &format!("r{i}"))).collect();
        assert_eq!(trained.iter().filter(|trained| **trained).count(), 2, "{trained:?}");
        assert!(trained[0] != trained[1] && trained[2] != trained[3], "{trained:?}");
        close(&signal(&got, "r2", "token_weights"), &[1.0]);
        pairs.insert((trained[0], trained[2]));
    }
    assert_eq!(pairs.len(), 4, "every pair is drawn");
    let got = given("oreal", json!({ "selection": "all" }), rollouts);
    assert!(in_loss(&got, "r4") && !in_loss(&got, "r6"), "a group of one has no advantage");
}

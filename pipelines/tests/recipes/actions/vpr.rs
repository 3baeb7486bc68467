//! VPR: the section's check, the other normalisation, the turn where there are no states.

use std::f64::consts::SQRT_2;

use serde_json::{Value, json};

use crate::support::{advantages, close, given, in_loss, list, signal, try_given};

fn states() -> Value {
    let rows = [("s1", [2.0, 0.5, -1.0, 0.5]), ("s2", [2.0; 4]), ("s3", [0.0, 2.0, 0.0, 0.0])];
    let rows = rows.iter().flat_map(|(state, rewards)| {
        rewards.iter().enumerate().map(move |(k, reward)| {
            json!({"rollout_id": format!("{state}-{k}"), "state_id": state, "reward": reward})
        })
    });
    rows.chain([json!({"rollout_id": "lone", "state_id": "s4", "reward": 5.0})]).collect()
}

fn of_state(state: &str, of: impl Fn(&str) -> Vec<f64>) -> Vec<f64> {
    (0..4).flat_map(|k| of(&format!("{state}-{k}"))).collect()
}

#[test]
fn the_sections_check() {
    let given = given("vpr", json!({}), states());
    let advantage = |state: &str| of_state(state, |id| advantages(&given, id));
    let committed = |state: &str| of_state(state, |id| signal(&given, id, "committed"));
    close(&advantage("s1"), &[1.5491933, 0.0, -1.5491933, 0.0]);
    close(&advantage("s3"), &[-0.5163978, 1.5491933, -0.5163978, -0.5163978]);
    close(&advantage("s2"), &[0.0; 4]);
    // States without spread, and lone replies, are not trained on.
    close(&of_state("s2", |id| list(&given, id, "token_weights")), &[0.0; 4]);
    close(&list(&given, "lone", "token_weights"), &[0.0]);
    close(&of_state("s1", |id| list(&given, id, "token_weights")), &[1.0; 4]);
    assert_eq!(committed("s1"), [1.0, 0.0, 0.0, 0.0]);
    assert_eq!(committed("s2"), [1.0, 0.0, 0.0, 0.0]);
    assert_eq!(committed("s3"), [0.0, 1.0, 0.0, 0.0]);
}

#[test]
fn each_state_by_its_own_deviation() {
    let given = given("vpr", json!({"normalization": "group_whiten"}), states());
    let advantage = |state: &str| of_state(state, |id| advantages(&given, id));
    close(&advantage("s1"), &[SQRT_2, 0.0, -SQRT_2, 0.0]);
    close(&advantage("s2"), &[0.0; 4]);
    close(&advantages(&given, "lone"), &[0.0]);
    close(&list(&given, "lone", "token_weights"), &[1.0]);
}

#[test]
fn the_last_reply_has_the_outcome() {
    let rows = json!([
        {"state_id": "s", "reward": 1.0, "ends_episode": true, "success": 1},
        {"state_id": "s", "reward": 1.0, "ends_episode": false, "success": null},
        {"state_id": "s", "reward": 1.0, "ends_episode": true, "success": 0},
    ]);
    let with = given("vpr", json!({"outcome_reward_scale": 3}), rows.clone());
    assert_eq!(["r0", "r1", "r2"].map(|id| signal(&with, id, "score")[0]), [4.0, 1.0, 1.0]);
    let without = given("vpr", json!({"outcome_reward_scale": 0}), rows);
    assert_eq!(signal(&without, "r0", "score"), [1.0]);
    close(&advantages(&without, "r0"), &[0.0]);
}

#[test]
fn without_states_the_turn_decides() {
    let row = |turn: usize, reward: f64| json!({"turn_index": turn, "reward": reward});
    let rows = json!([row(0, 1.0), row(0, 2.0), row(0, 3.0), row(0, 4.0), row(1, 0.0), row(1, 2.0)]);
    let given_rows = given("vpr", json!({}), rows.clone());
    let deviation = 1.25f64.sqrt();
    close(&advantages(&given_rows, "r0"), &[-1.5 / deviation]);
    // Two replies of one turn are too few: the whole batch.
    let all = [1.0, 2.0, 3.0, 4.0, 0.0, 2.0];
    let deviation = (all.iter().map(|x| (x - 2.0f64).powi(2)).sum::<f64>() / 6.0).sqrt();
    close(&advantages(&given_rows, "r4"), &[-2.0 / deviation]);
    let pairs = given("vpr", json!({"min_turn_group": 2}), rows);
    close(&advantages(&pairs, "r4"), &[-1.0]);
}

#[test]
fn a_null_reward_leaves_its_state() {
    let rows = json!([
        {"state_id": "s", "reward": 1.0}, {"state_id": "s", "reward": null}, {"state_id": "s", "reward": 0.0},
        {"state_id": null, "reward": 0.0},
    ]);
    let given = given("vpr", json!({}), rows);
    close(&advantages(&given, "r0"), &[1.0]);
    assert!(!in_loss(&given, "r1") && !in_loss(&given, "r3"));
    let error = try_given("vpr", json!({}), json!([{"reward": 1.0}])).err().unwrap();
    assert!(error.to_string().contains("state_id"), "{error}");
}

#[test]
fn the_reply_that_goes_on_may_be_drawn() {
    let committed = |settings: Value, state: &str| {
        let given = given("vpr", settings, states());
        of_state(state, |id| signal(&given, id, "committed"))
    };
    let counts = |settings: &dyn Fn(u64) -> Value, state: &str| -> Vec<f64> {
        let draws: Vec<Vec<f64>> = (0..60).map(|seed| committed(settings(seed), state)).collect();
        assert!(draws.iter().all(|draw| draw.iter().sum::<f64>() == 1.0), "one reply goes on");
        (0..4).map(|k| draws.iter().map(|draw| draw[k]).sum()).collect()
    };
    let best = counts(&|seed| json!({"commit": "best at random", "seed": seed}), "s2");
    assert!(best.iter().all(|&count| count > 3.0), "{best:?}");
    let best = counts(&|seed| json!({"commit": "best at random", "seed": seed}), "s3");
    assert_eq!(best, [0.0, 60.0, 0.0, 0.0]);
    let any = counts(&|seed| json!({"commit": "random", "seed": seed}), "s3");
    assert!(any.iter().all(|&count| count > 3.0), "{any:?}");
    let mixed = counts(&|seed| json!({"commit": "mixed", "mix": 0.4, "seed": seed}), "s3");
    assert!(mixed[1] > 30.0 && mixed[1] < 55.0, "{mixed:?}");
    assert_eq!(counts(&|seed| json!({"commit": "mixed", "mix": 0, "seed": seed}), "s3")[1], 60.0);
}

use serde_json::{Value, json};

use super::{advantages, in_loss, lacks, signal, steps};
use crate::support::{close, given};

/// The section's four rollouts.
fn group() -> Value {
    let row = |reward: f64, format: bool, verdicts: [bool; 3]| {
        steps(&[1, 1, 1], json!({ "reward": reward, "format_ok": format, "step_correct": verdicts }))
    };
    json!([
        row(1.0, true, [true, true, false]),
        row(0.0, true, [true, false, false]),
        row(1.0, false, [true, true, true]),
        row(1.0, true, [true, true, true]),
    ])
}

#[test]
fn the_numbers_of_the_section() {
    let whole = given("spark", json!({ "ddof": 0, "eps": 0 }), group());
    for (rollout, advantage) in [("r0", 1.0), ("r1", -1.0), ("r2", -1.0), ("r3", 1.0)] {
        close(&advantages(&whole, rollout), &[advantage; 3]);
    }
    close(&advantages(&given("spark", json!({ "eps": 0 }), group()), "r0"), &[0.8660254; 3]);
    let selective = given("spark", json!({ "ddof": 0, "eps": 0, "credit": "selective" }), group());
    close(&advantages(&selective, "r0"), &[1.0, 1.0, 0.0]);
    close(&advantages(&selective, "r1"), &[0.0, -1.0, -1.0]);
    let augmented = given("spark", json!({ "shape": "step_augmented" }), group());
    close(&signal(&augmented, "r0", "rewards"), &[0.8666667]);
    close(&signal(&augmented, "r1", "rewards"), &[0.1333333]);
    close(&signal(&augmented, "r2", "rewards"), &[0.0]);
}

#[test]
fn steps_are_mixed_in_as_normalised_over_the_steps_of_the_group() {
    let mixed = given("spark", json!({ "ddof": 0, "eps": 0, "credit": "global_step" }), group());
    // Nine of twelve steps are right: mean 3/4, deviation sqrt(3)/4.
    let (right, wrong) = (0.2 / 3f64.sqrt(), -0.6 / 3f64.sqrt());
    close(&advantages(&mixed, "r0"), &[0.8 + right, 0.8 + right, 0.8 + wrong]);
}

#[test]
fn without_weight_on_steps_it_is_grpo() {
    let mut rows = group();
    rows[2]["format_ok"] = json!(true);
    let grpo = given("grpo", json!({}), rows.clone());
    for settings in [
        json!({ "shape": "step_augmented", "step_weight": 0, "outcome_weight": 1 }),
        json!({ "credit": "global_step", "step_share": 0, "process_share": 1 }),
        json!({}),
    ] {
        let spark = given("spark", settings, rows.clone());
        close(&advantages(&spark, "r1"), &advantages(&grpo, "r1"));
    }
}

#[test]
fn critiques_vote_by_majority() {
    let row = |votes: Value, of_steps: Value| {
        steps(&[1, 1], json!({ "reward": 1.0, "critique_correct": votes, "step_critique_correct": of_steps }))
    };
    let rows = json!([
        row(json!([true, true, false]), json!([[true, true, false], [false, false, true]])),
        row(json!([true, false, null]), json!([[true, false, null], [true, null, null]])),
    ]);
    let settings =
        json!({ "verdicts": "majority", "shape": "step_augmented", "step_weight": 1, "outcome_weight": 1 });
    let given_ = given("spark", settings, rows);
    close(&signal(&given_, "r0", "rewards"), &[1.5]);
    close(&signal(&given_, "r1", "rewards"), &[0.5]);
}

#[test]
fn a_missing_verdict_takes_the_rollout_out_where_steps_matter() {
    let mut rows = group();
    rows[0]["step_correct"] = json!([true, null, true]);
    assert!(in_loss(&given("spark", json!({}), rows.clone()), "r0"));
    assert!(!in_loss(&given("spark", json!({ "credit": "selective" }), rows), "r0"));
    let equal = json!([group()[0], group()[3]]);
    close(&advantages(&given("spark", json!({}), equal), "r0"), &[0.0; 3]);
    let bare = json!([steps(&[1], json!({ "reward": 1.0 }))]);
    lacks("spark", json!({ "credit": "selective" }), bare, "step_correct", "process judge");
}

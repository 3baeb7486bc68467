//! Thoth: structured steps.

use serde_json::{Value, json};

use super::of_all;
use crate::support::{close, given, in_loss, signal};

type Step = (&'static str, &'static [&'static str], &'static [&'static str]);

fn side(row: &mut Value, side: &str, steps: &[Step]) {
    row[format!("{side}_actions")] = steps.iter().map(|step| json!(step.0)).collect();
    row[format!("{side}_object_names")] = steps.iter().map(|step| json!(step.1)).collect();
    row[format!("{side}_parameter_values")] = steps.iter().map(|step| json!(step.2)).collect();
}

fn protocol(predicted: &[Step], gold: &[Step]) -> Value {
    let mut row = json!({"format_ok": true, "steps_consistent": true});
    side(&mut row, "predicted", predicted);
    side(&mut row, "gold", gold);
    row
}

const GOLD: [Step; 4] = [
    ("add", &["salt"], &["5 g"]),
    ("heat", &["water", "salt"], &["10 min at 90"]),
    ("mix", &["all"], &[]),
    ("cool", &["all"], &[]),
];
/// In another order; the heated objects overlap by 1/2, their parameters by 4/5.
const PREDICTED: [Step; 4] = [
    ("heat", &["water"], &["10 min at 90 c"]),
    ("add", &["salt"], &["5 g"]),
    ("mix", &["all"], &[]),
    ("cool", &["all"], &[]),
];

#[test]
fn thoth_has_the_numbers_of_its_section() {
    let row = || json!([protocol(&PREDICTED, &GOLD)]);
    let strict = given("thoth", json!({}), row());
    let of = |name: &str| signal(&strict, "r0", name)[0];
    close(&[of("order"), of("content"), of("step_scale"), of("rewards")], &[0.0, 0.7875, 1.0, 0.7875]);
    let lcs = given("thoth", json!({"order": "lcs"}), row());
    close(&signal(&lcs, "r0", "order"), &[0.75]);
    close(&signal(&lcs, "r0", "rewards"), &[0.75 + 0.7875]);
    let by_gold = given("thoth", json!({"denominator": "gold"}), row());
    close(&signal(&by_gold, "r0", "content"), &[0.7875 / 4.0]);
}

#[test]
fn the_same_steps_are_worth_order_and_full_content() {
    let spelled: [Step; 4] = [
        (" Add ", &["SALT "], &["5 g", " "]),
        ("Heat", &["salt", "water"], &["10 min at 90"]),
        ("MIX", &["all"], &[]),
        ("cool", &["All"], &[]),
    ];
    let result = given("thoth", json!({}), json!([protocol(&spelled, &GOLD)]));
    close(&signal(&result, "r0", "rewards"), &[2.5]);
}

#[test]
fn gates_close_on_format_consistency_and_count() {
    let mut broken = protocol(&GOLD, &GOLD);
    broken["format_ok"] = json!(false);
    broken["steps_consistent"] = Value::Null;
    let mut unsaid = protocol(&GOLD, &GOLD);
    unsaid["steps_consistent"] = json!(false);
    let mut unjudged = protocol(&GOLD, &GOLD);
    unjudged["steps_consistent"] = Value::Null;
    let short = protocol(&GOLD[..3], &GOLD);
    let rollouts = json!([broken, unsaid, unjudged, short]);
    let gap = given("thoth", json!({}), rollouts.clone());
    close(&of_all(&gap, "rewards", 4), &[0.0, 0.0, f64::NAN, 0.75 * 1.5]);
    assert!(!in_loss(&gap, "r2"));
    let equal = given("thoth", json!({"step_scale": "equal"}), rollouts.clone());
    close(&signal(&equal, "r3", "rewards"), &[0.0]);
    let none = given("thoth", json!({"step_scale": "none"}), rollouts);
    close(&signal(&none, "r3", "rewards"), &[1.5]);
}

#[test]
fn nothing_parsed_is_worth_nothing_and_two_empty_lists_agree() {
    let mut unparsed = protocol(&GOLD, &GOLD);
    for column in ["predicted_actions", "predicted_object_names", "predicted_parameter_values"] {
        unparsed[column] = Value::Null;
    }
    let empty = protocol(&[], &[]);
    let mut without_gold = protocol(&GOLD, &GOLD);
    for column in ["gold_actions", "gold_object_names", "gold_parameter_values"] {
        without_gold[column] = Value::Null;
    }
    let rollouts = json!([unparsed, empty, without_gold, protocol(&GOLD, &GOLD)]);
    let result = given("thoth", json!({"order": "lcs"}), rollouts);
    close(&of_all(&result, "rewards", 4), &[0.0, 1.0, f64::NAN, 2.5]);
    let trained: Vec<bool> = (0..4).map(|row| in_loss(&result, &format!("r{row}"))).collect();
    assert_eq!(trained, [true, true, false, true]);
}

//! What is selected of data by its quality.

use serde_json::{Value, json};

use crate::support::{close, given, signal};

fn rows(quality: &[f64], original: &[bool]) -> Value {
    quality
        .iter()
        .zip(original)
        .map(|(quality, original)| json!({ "quality": quality, "from_original": original, "token_mask": [true] }))
        .collect()
}

fn repeats(settings: Value, rows: Value, count: usize) -> Vec<f64> {
    let given = given("stability_gap", settings, rows);
    (0..count).flat_map(|row| signal(&given, &format!("r{row}"), "repeats")).collect()
}

#[test]
fn the_best_rows_are_trained_on_several_times() {
    let new = rows(&[0.1, 0.9, 0.5, 0.7], &[false; 4]);
    close(&repeats(json!({ "share": 0.5, "epochs": 3 }), new, 4), &[0.0, 3.0, 0.0, 3.0]);
}

#[test]
fn the_original_mixture_makes_up_its_ratio() {
    let mixed = rows(&[0.1, 0.9, 0.5, 0.7, 0.0, 0.0, 0.0], &[false, false, false, false, true, true, true]);
    let settings = json!({ "share": 0.5, "epochs": 1, "original_ratio": 0.5 });
    close(&repeats(settings, mixed, 7), &[0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 0.0]);
}

#[test]
fn rows_of_the_original_mixture_need_no_quality() {
    let row = |quality: Value, original: Value| json!({ "quality": quality, "from_original": original, "token_mask": [true] });
    let mixed = json!([
        row(0.9.into(), false.into()),
        row(Value::Null, true.into()),
        row(Value::Null, false.into()),
        row(Value::Null, Value::Null),
    ]);
    let settings = json!({ "share": 1, "epochs": 2, "original_ratio": 0.5 });
    close(&repeats(settings, mixed, 4), &[2.0, 2.0, f64::NAN, f64::NAN]);
}

#[test]
fn a_share_of_a_round_number_is_a_round_number() {
    // 100 * 0.07 is a little more than 7.
    let quality: Vec<f64> = (0..100).map(f64::from).collect();
    let taken = repeats(json!({ "share": 0.07, "epochs": 1 }), rows(&quality, &[false; 100]), 100);
    assert_eq!(taken.iter().sum::<f64>(), 7.0);
}

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

//! Rollouts written as JSON, and what a recipe gives for them.
#![allow(dead_code)]

use arrow::array::AsArray;
use arrow::datatypes::Float32Type;
use meed_operators::Error;
use meed_operators::credit::Values;
use meed_pipelines::{InMemory, find};
use serde_json::Value;

/// What a recipe gives for rollouts, an array of objects in the columns of the design. A missing
/// `group_id` is `g`, a missing `rollout_id` the position: `r0`, `r1`, ...; `settings` is an object.
pub fn given(recipe: &str, settings: Value, rollouts: Value) -> InMemory {
    try_given(recipe, settings, rollouts)
        .unwrap_or_else(|error| panic!("{recipe}: {error}; {}", error.hint()))
}

/// The same, for errors.
pub fn try_given(recipe: &str, settings: Value, rollouts: Value) -> Result<InMemory, Error> {
    let mut rows = rollouts.as_array().expect("an array of rollouts").clone();
    for (number, row) in rows.iter_mut().enumerate() {
        let row = row.as_object_mut().expect("a rollout is an object");
        row.entry("group_id").or_insert_with(|| "g".into());
        row.entry("rollout_id").or_insert_with(|| format!("r{number}").into());
    }
    let settings: Vec<(String, Value)> =
        settings.as_object().expect("settings are an object").clone().into_iter().collect();
    find(recipe)?.in_memory(&settings, crate::load::rollouts(&rows).expect("rollouts"))
}

/// The stored advantages of all tokens of a rollout, `f32` as stored.
pub fn advantages(given: &InMemory, rollout: &str) -> Vec<f64> {
    list(given, rollout, "token_advantages")
}

/// A list of numbers of the advantages table for a rollout, such as `token_weights`.
pub fn list(given: &InMemory, rollout: &str, column: &str) -> Vec<f64> {
    let rows = given.rows.as_ref().expect("the recipe gives advantages");
    let cell = rows[column].as_list::<i32>().value(row_of(given, rollout));
    cell.as_primitive::<Float32Type>().iter().map(|x| x.map_or(f64::NAN, f64::from)).collect()
}

/// True where the rollout is trained on.
pub fn in_loss(given: &InMemory, rollout: &str) -> bool {
    given.rows.as_ref().expect("advantages")["in_loss"].as_boolean().value(row_of(given, rollout))
}

/// A named signal of a rollout, at its own level; NaN where it is null.
pub fn signal(given: &InMemory, rollout: &str, name: &str) -> Vec<f64> {
    let column = given.evaluated.signal(name).unwrap_or_else(|| panic!("no signal is called {name}"));
    let numbers: Vec<f64> = match &column.values {
        Values::Boolean(truth) => truth.iter().map(|&x| f64::from(u8::from(x))).collect(),
        _ => column.as_numbers().to_vec(),
    };
    let range = match &column.level {
        None => 0..1,
        Some(level) => {
            let extent = given.unit.extent(level).expect("the level");
            let row = row_of(given, rollout);
            extent.rows[row]..extent.rows[row + 1]
        }
    };
    range.map(|i| if column.is_valid(i) { numbers[i] } else { f64::NAN }).collect()
}

fn row_of(given: &InMemory, rollout: &str) -> usize {
    let rows = 0..given.unit.rows();
    rows.into_iter().find(|&row| given.unit.rollout_id(row) == rollout).expect("a rollout of that id")
}

/// Numbers agree to 1e-6 relative, or within `1e-6` of numbers below 1; NaN only with NaN.
pub fn close(got: &[f64], wanted: &[f64]) {
    assert_eq!(got.len(), wanted.len(), "{got:?} against {wanted:?}");
    for (at, (got_at, want)) in got.iter().zip(wanted).enumerate() {
        let agree = (got_at - want).abs() <= 1e-6 * want.abs().max(1.0) || (got_at.is_nan() && want.is_nan());
        assert!(agree, "at {at}: got {got_at}, expected {want}; {got:?} against {wanted:?}");
    }
}

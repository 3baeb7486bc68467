//! Recipes of the family `turns`.

mod calls;
mod clusters;
mod contributions;
mod estimates;
mod gains;
mod hindsight;
mod implicit;
mod results;

use serde_json::{Value, json};

/// A rollout of so many turns, each one policy step and one environment step after it but the last, with one
/// token per step.
fn turns(count: usize) -> Value {
    let kinds: Vec<&str> =
        (0..2 * count - 1).map(|at| if at.is_multiple_of(2) { "policy" } else { "environment" }).collect();
    let ends: Vec<usize> = (1..2 * count).collect();
    let mask: Vec<bool> = (0..2 * count - 1).map(|at| at.is_multiple_of(2)).collect();
    json!({"step_kinds": kinds, "step_ends": ends, "token_mask": mask})
}

/// The same with a value of each turn on its policy step, null elsewhere.
fn with_turns(mut row: Value, column: &str, values: &[Value]) -> Value {
    let steps = row["step_kinds"].as_array().map_or(0, Vec::len);
    let value = |at: usize| if at.is_multiple_of(2) { values[at / 2].clone() } else { Value::Null };
    row[column] = (0..steps).map(value).collect();
    row
}

/// The same with a value of the rollout.
fn with(mut row: Value, column: &str, value: Value) -> Value {
    row[column] = value;
    row
}

/// What the policy steps have, of a list of all steps.
fn of_policy(values: Vec<f64>) -> Vec<f64> {
    values.into_iter().step_by(2).collect()
}

//! Recipes of the family `turns`.

mod calls;
mod clusters;
mod contributions;
mod critics;
mod dialogues;
mod estimates;
mod evidence;
mod gains;
mod hindsight;
mod imitation;
mod implicit;
mod phases;
mod results;
mod retries;

use serde_json::{Value, json};

/// A rollout of policy steps with so many tokens each, and an environment step of one token between them.
fn turns(lengths: &[usize], columns: Value) -> Value {
    let mut row = columns;
    let (mut ends, mut mask, mut kinds) = (Vec::new(), Vec::new(), Vec::new());
    for (step, &length) in lengths.iter().enumerate() {
        if step > 0 {
            mask.push(false);
            ends.push(mask.len());
            kinds.push("environment");
        }
        mask.extend(vec![true; length]);
        ends.push(mask.len());
        kinds.push("policy");
    }
    row["step_ends"] = json!(ends);
    row["step_kinds"] = json!(kinds);
    row["token_mask"] = json!(mask);
    row
}

/// The same without environment steps between them.
fn actions(lengths: &[usize], columns: Value) -> Value {
    let mut row = columns;
    let ends: Vec<usize> = (1..=lengths.len()).map(|steps| lengths[..steps].iter().sum()).collect();
    row["token_mask"] = json!(vec![true; lengths.iter().sum()]);
    row["step_kinds"] = json!(vec!["policy"; lengths.len()]);
    row["step_ends"] = json!(ends);
    row
}

/// A rollout of so many turns, each one policy step and one environment step after it but the last, with one
/// token per step.
fn short_turns(count: usize) -> Value {
    turns(&vec![1; count], json!({}))
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

//! Recipes of the family `denoising`.

mod branches;
mod flow;
mod gradients;
mod selection;
mod steps;
mod turning;

use serde_json::{Value, json};

/// Samples of so many denoising steps, with these rewards.
fn samples(rewards: &[f64], steps: usize) -> Value {
    let sigmas: Vec<f64> = (1..=steps).map(|step| 1.0 - step as f64 / steps as f64).collect();
    let sample = |reward: &f64| json!({ "reward": reward, "step_next_sigmas": sigmas });
    rewards.iter().map(sample).collect()
}

/// One sample per list of values of its steps, in a column.
fn of_steps(column: &str, values: &[&[f64]]) -> Value {
    values.iter().map(|values| json!({ column: values, "reward": values[values.len() - 1] })).collect()
}

//! Recipes of the family `tokens`.

mod attention;
mod batches;
mod distillation;
mod oreal;
mod process;
mod prompts;
mod shaping;
mod steps;

use meed_pipelines::InMemory;
use serde_json::{Value, json};

use crate::support::{advantages, close, given};

/// Rewards 1, 0, 0, 0 in one group, with four tokens each and what `more` adds to rollout `i`.
fn group_of_four(more: impl Fn(usize) -> Value) -> Value {
    let rollouts = [1.0, 0.0, 0.0, 0.0].into_iter().enumerate().map(|(i, reward)| {
        let mut rollout =
            json!({ "reward": reward, "token_ids": [5, 6, 7, 8], "token_mask": [true, true, true, true] });
        rollout.as_object_mut().unwrap().extend(more(i).as_object().unwrap().clone());
        rollout
    });
    rollouts.collect()
}

/// The advantages agree with those of another recipe on the same rollouts.
fn same_as(recipe: &str, settings: Value, got: &InMemory, rollouts: &Value) {
    let wanted = given(recipe, settings, rollouts.clone());
    for i in 0..rollouts.as_array().unwrap().len() {
        let id = format!("r{i}");
        close(&advantages(got, &id), &advantages(&wanted, &id));
    }
}

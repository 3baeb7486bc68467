//! Recipes of the family `outcome`.

mod anytime;
mod curricula;
mod groups;
mod hints;
mod likelihoods;
mod rewards;
mod schedules;
mod selected_data;
mod selection;
mod signs;
mod subproblems;

use serde_json::{Value, json};

use crate::support::{advantages, close, given};

/// Rollouts of one group with these rewards and as many tokens.
fn rewarded(rewards: &[f64]) -> Value {
    rewards.iter().map(|reward| json!({"reward": reward, "token_mask": [true, true]})).collect()
}

/// One stored advantage per rollout.
fn of_rollouts(recipe: &str, settings: Value, rollouts: Value) -> Vec<f64> {
    let rows = rollouts.as_array().unwrap().len();
    let given = given(recipe, settings, rollouts);
    (0..rows).map(|row| advantages(&given, &format!("r{row}"))[0]).collect()
}

/// Two recipes give every token the same advantage.
fn same(recipe: &str, settings: Value, other: &str, of_other: Value, rollouts: Value) {
    let rows = rollouts.as_array().unwrap().len();
    let (one, two) = (given(recipe, settings, rollouts.clone()), given(other, of_other, rollouts));
    for row in 0..rows {
        let id = format!("r{row}");
        close(&advantages(&one, &id), &advantages(&two, &id));
    }
}

/// The hint of a missing column names what provides it.
fn missing(recipe: &str, settings: Value, rollouts: Value, column: &str) {
    let error = crate::support::try_given(recipe, settings, rollouts).err().expect("a column is missing");
    assert!(error.to_string().contains(column), "{error}");
    assert!(error.hint().len() > 10 && !error.hint().contains("bind another column"), "{}", error.hint());
}

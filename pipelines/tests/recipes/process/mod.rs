//! Recipes of the family `process`.

mod capo;
mod gates;
mod implicit_prm;
mod prime;
mod progress;
mod prorag;
mod pure;
mod shaped;
mod spark;
mod thoughts;
mod trees;

use serde_json::{Value, json};

use crate::support::{advantages, in_loss, signal, try_given};

/// A rollout with steps of the given numbers of trainable tokens, and further columns; without steps it has one
/// token.
fn steps(lengths: &[usize], columns: Value) -> Value {
    let ends: Vec<usize> = lengths
        .iter()
        .scan(0, |end, length| {
            *end += length;
            Some(*end)
        })
        .collect();
    let mut row = columns;
    row["token_mask"] = json!(vec![true; lengths.iter().sum::<usize>().max(1)]);
    row["step_ends"] = json!(ends);
    row
}

/// The recipe needs the column, and says what provides it.
fn lacks(recipe: &str, settings: Value, rollouts: Value, column: &str, provider: &str) {
    let error = try_given(recipe, settings, rollouts).err().expect("an error");
    assert!(error.to_string().contains(column), "{error}");
    assert!(error.hint().contains(provider), "{}", error.hint());
}

//! Recipes of the family `redistribution`.

mod dense;
mod robots;
mod shaping;
mod sweet_rl;
mod targets;
mod written;

use serde_json::{Value, json};

/// A rollout of so many policy steps of one token, with further columns.
fn stepped(count: usize, columns: Value) -> Value {
    let mut row = columns;
    row["token_mask"] = json!(vec![true; count]);
    row["step_ends"] = json!((1..=count).collect::<Vec<usize>>());
    row
}

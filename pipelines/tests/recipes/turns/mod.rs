//! Recipes of the family `turns`.

mod critics;
mod dialogues;
mod evidence;
mod imitation;
mod phases;
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

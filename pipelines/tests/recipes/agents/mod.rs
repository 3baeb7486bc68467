//! Recipes of the family `agents`.

mod credits;
mod gigpo;
mod graphs;
mod groups;
mod messages;
mod pairs;
mod roles;
mod traces;

use serde_json::{Value, json};

/// A rollout of policy steps of one token each, by these agents.
fn by_agents(reward: f64, agents: &[&str], more: Value) -> Value {
    let ends: Vec<usize> = (1..=agents.len()).collect();
    let mut rollout = json!({
        "reward": reward, "step_agents": agents, "step_ends": ends, "token_mask": vec![true; agents.len()],
    });
    rollout.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    rollout
}

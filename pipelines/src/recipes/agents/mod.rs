//! Recipes for agents: credit to steps and turns.

pub mod gigpo;
pub mod step_reinforce;

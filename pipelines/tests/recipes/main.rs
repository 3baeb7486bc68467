//! Recipes on small rollouts: the numeric check of each method's section, what it reduces to, its edge cases.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod actions;
mod agents;
mod baselines;
mod denoising;
#[path = "../golden/load.rs"]
mod load;
mod outcome;
mod passes;
mod process;
mod programs;
mod redistribution;
mod rewards;
mod support;
mod tokens;
mod trees;
mod turns;

//! What the cases of policy objectives share.

use super::Naive;
use super::naive::old;
use crate::objectives::{Columns, Objective, PolicyObjective, Surrogate};

/// A name, an objective and its naive value.
pub type Case = (&'static str, Box<dyn Objective>, Naive);

pub fn with(
    surrogate: impl Surrogate + 'static,
    change: impl FnOnce(&mut PolicyObjective),
) -> Box<dyn Objective> {
    let mut objective = PolicyObjective::new("case", surrogate);
    change(&mut objective);
    Box::new(objective)
}

pub fn same(_: &mut PolicyObjective) {}

pub fn a(columns: &Columns, t: usize) -> f64 {
    columns.advantages[t]
}

pub fn clip_loss(ratio: f64, low: f64, high: f64, advantage: f64) -> f64 {
    (-advantage * ratio).max(-advantage * ratio.max(low).min(high))
}

pub fn ratio(columns: &Columns, t: usize, logprobs: &[f64]) -> f64 {
    (logprobs[t] - old(columns, t)).exp()
}

pub fn mu(columns: &Columns, t: usize) -> f64 {
    columns.rollout_logprobs.as_ref().unwrap()[t]
}

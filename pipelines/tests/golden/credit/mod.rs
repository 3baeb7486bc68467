//! What golden cases of single methods need beyond the rules: inputs in other shapes, keys of their own.

mod actions;
mod agents;
mod critics;
mod denoising;
mod outcome;
mod process;
mod redistribution;
mod rewards;
mod tokens;
mod trees;
mod turns;

use meed_pipelines::InMemory;
use serde_json::{Map, Value};

use crate::case::Case;
use crate::compare::Tolerance;

/// One family's part.
pub trait Family {
    /// Brings the rollouts of a case into columns of the design, where they are in another shape.
    fn rollouts(&self, _case: &Case, rollouts: Vec<Value>) -> Result<Vec<Value>, String> {
        Ok(rollouts)
    }

    /// Compares a key that no signal of that name answers; `None` leaves it to the rules. Answers how many
    /// values agree.
    fn key(
        &self,
        _case: &Case,
        _key: &str,
        _wanted: &Value,
        _given: &InMemory,
    ) -> Option<Result<usize, String>> {
        None
    }

    /// Why the reference is at fault in a case whose file does not say so.
    fn fault(&self, _case: &Case) -> Option<&'static str> {
        None
    }

    /// A case that no recipe answers as a whole, such as a filter or a search; `None` leaves it to the
    /// rules.
    fn run(&self, _case: &Case) -> Option<Result<usize, String>> {
        None
    }
}

const FAMILIES: &[&dyn Family] = &[
    &actions::Actions,
    &agents::Agents,
    &critics::Critics,
    &denoising::Denoising,
    &outcome::Outcome,
    &process::Process,
    &redistribution::Redistribution,
    &rewards::Rewards,
    &tokens::Tokens,
    &trees::Trees,
    &turns::Turns,
];

pub fn rollouts(case: &Case) -> Result<Vec<Value>, String> {
    FAMILIES.iter().try_fold(case.rollouts.clone(), |rows, family| family.rollouts(case, rows))
}

pub fn key(case: &Case, key: &str, wanted: &Value, given: &InMemory) -> Option<Result<usize, String>> {
    FAMILIES.iter().find_map(|family| family.key(case, key, wanted, given))
}

pub fn run(case: &Case) -> Option<Result<usize, String>> {
    FAMILIES.iter().find_map(|family| family.run(case))
}

pub fn fault(case: &Case) -> Option<&'static str> {
    FAMILIES.iter().find_map(|family| family.fault(case))
}

/// Compares two lists of numbers.
pub fn close(what: &str, got: &[f64], wanted: &[f64], tolerance: &Tolerance) -> Result<usize, String> {
    if got.len() != wanted.len() {
        return Err(format!("{what}: {} values, expected {}", got.len(), wanted.len()));
    }
    match got.iter().zip(wanted).position(|(got, want)| !tolerance.close(*got, *want, 1e-9)) {
        Some(at) => Err(format!("{what} at {at}: got {}, expected {}", got[at], wanted[at])),
        None => Ok(got.len()),
    }
}

/// A field of every row of `expected`, which is an object by id.
pub fn by_id(wanted: &Value) -> Result<&Map<String, Value>, String> {
    wanted.as_object().ok_or_else(|| "expected no object by id".to_owned())
}

//! One case of an objective: its parameters, what is fed to it, and which expected keys it answers.

use std::cell::RefCell;
use std::collections::BTreeSet;

use meed_operators::objectives::{Columns, Loss, Objective};
use meed_pipelines::find_objective;
use serde_json::{Map, Value};

use super::batch;
use crate::case::{Case, Outcome};

/// Compares keys of a case, and knows which are left.
pub struct Check<'a> {
    case: &'a Case,
    pub rows: Vec<Map<String, Value>>,
    settings: Vec<(String, Value)>,
    answered: RefCell<BTreeSet<String>>,
    compared: RefCell<usize>,
}

/// Metrics that references compute in float32.
pub const SINGLE: f64 = 1e-6;
const DOUBLE: f64 = 1e-9;

impl<'a> Check<'a> {
    /// `own` are parameters of the objective by its own names, `credit` those of the credit that comes before
    /// it. Any other fails by name.
    pub fn new(case: &'a Case, own: &[&str], credit: &[&str]) -> Result<Self, String> {
        if let Some(key) = &case.unknown_key {
            return Err(format!("the key `{key}` is not known"));
        }
        let mut settings = Vec::new();
        for (name, value) in &case.params {
            match name.as_str() {
                name if own.contains(&name) => settings.push((name.to_owned(), words(value))),
                name if credit.contains(&name) => {}
                name => return Err(format!("the parameter `{name}` is not known")),
            }
        }
        let rows = case.rollouts.iter().filter_map(|row| row.as_object().cloned()).collect();
        Ok(Check { case, rows, settings, answered: RefCell::default(), compared: RefCell::default() })
    }

    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.settings.push((name.to_owned(), value.into()));
    }

    pub fn objective(&self, name: &str) -> Result<Box<dyn Objective>, String> {
        find_objective(name).and_then(|found| found.with(&self.settings)).map_err(text)
    }

    pub fn columns(&self) -> Result<Columns, String> {
        batch::columns(&self.rows)
    }

    pub fn has(&self, key: &str) -> bool {
        self.case.expected.contains_key(key)
    }

    pub fn number(&self, key: &str) -> Result<f64, String> {
        self.case.params.get(key).and_then(Value::as_f64).ok_or(format!("{key} is no number"))
    }

    pub fn text(&self, key: &str) -> &str {
        self.case.params.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// What the case expects of all rows, one after another: credit that is fed to the objective.
    pub fn fed(&self, key: &str) -> Result<Vec<f64>, String> {
        let by_id =
            self.case.expected.get(key).and_then(Value::as_object).ok_or(format!("expects no {key}"))?;
        let of_rows: Vec<Map<String, Value>> = self
            .rows
            .iter()
            .map(|row| {
                let id = row.get("rollout_id").and_then(Value::as_str).unwrap_or_default();
                Map::from_iter(by_id.get(id).map(|value| (key.to_owned(), value.clone())))
            })
            .collect();
        batch::flat(&of_rows, key).ok_or(format!("{key}: not every row has numbers"))
    }

    pub fn scalar(&self, key: &str, got: f64) -> Result<(), String> {
        self.scalar_within(key, got, DOUBLE)
    }

    pub fn scalar_within(&self, key: &str, got: f64, tolerance: f64) -> Result<(), String> {
        let wanted = self.case.expected.get(key).and_then(value_of).ok_or(format!("expects no {key}"))?;
        self.close(key, &[got], &[wanted], tolerance)
    }

    pub fn list(&self, key: &str, got: &[f64]) -> Result<(), String> {
        let wanted =
            self.case.expected.get(key).and_then(Value::as_array).ok_or(format!("expects no {key}"))?;
        let wanted: Vec<f64> = wanted.iter().filter_map(value_of).collect();
        self.close(key, got, &wanted, DOUBLE)
    }

    /// One value per token, step or rollout of all rows, one after another; masked positions too.
    pub fn rows(&self, key: &str, got: &[f64]) -> Result<(), String> {
        self.close(key, got, &self.fed(key)?, DOUBLE)
    }

    /// Compares a part with the key of its name, or with another.
    pub fn part(&self, loss: &Loss, key: &str, part: &str) -> Result<(), String> {
        self.scalar(key, *loss.parts.get(part).ok_or(format!("the loss has no part {part}"))?)
    }

    pub fn close(&self, key: &str, got: &[f64], wanted: &[f64], tolerance: f64) -> Result<(), String> {
        if got.len() != wanted.len() {
            return Err(format!("{key}: {} values, expected {}", got.len(), wanted.len()));
        }
        for (place, (&got, &wanted)) in got.iter().zip(wanted).enumerate() {
            if !wanted.is_nan() && !self.case.tolerance.close(got, wanted, tolerance) {
                return Err(format!("{key} at {place}: got {got}, expected {wanted}"));
            }
        }
        self.answered.borrow_mut().insert(key.to_owned());
        *self.compared.borrow_mut() += wanted.iter().filter(|wanted| !wanted.is_nan()).count();
        Ok(())
    }

    /// `loss` and its gradient with respect to log-probabilities.
    pub fn value_and_gradient(&self, loss: &Loss) -> Result<(), String> {
        self.scalar("loss", loss.value)?;
        self.rows("grad_token_logprobs", &loss.logprobs)
    }

    /// Done: `later` are the keys that the credit of the method will answer. Any key that is neither compared
    /// nor among them fails by name.
    pub fn finish(self, later: &[&str]) -> Result<Outcome, String> {
        let answered = self.answered.into_inner();
        let open: Vec<&str> =
            self.case.expected.keys().map(String::as_str).filter(|key| !answered.contains(*key)).collect();
        if let Some(unknown) = open.iter().find(|key| !later.contains(key)) {
            return Err(format!("expects `{unknown}`, which is neither compared nor a part of the credit"));
        }
        let compared = self.compared.into_inner();
        let open: Vec<_> = open.into_iter().map(|key| (key.to_owned(), super::LATER)).collect();
        Ok(if open.is_empty() && compared == 0 {
            Outcome::Listed("no value at a trainable position".into())
        } else if open.is_empty() {
            Outcome::Asserted(compared)
        } else {
            Outcome::Partly(compared, open)
        })
    }
}

pub fn text(error: meed_operators::Error) -> String {
    format!("{error}; {}", error.hint())
}

fn value_of(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_bool().map(|truth| f64::from(u8::from(truth))))
}

/// Names of values are spelt with `_` in parameters.
fn words(value: &Value) -> Value {
    match value.as_str() {
        Some("token-mean" | "seq-mean-token-mean") => {
            value.as_str().unwrap_or_default().replace('-', "_").into()
        }
        _ => value.clone(),
    }
}

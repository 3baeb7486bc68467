//! Comparing a loss with what a case expects.

use meed_operators::objectives::Loss;
use serde_json::{Map, Value, json};

use super::Checked;
use super::batch::Batch;
use crate::case::Outcome;
use crate::compare::Tolerance;

/// TRL reports this metric in single precision.
const SINGLE: &[&str] = &["reward_accuracies"];

/// What a case expects, key by key; a key that nobody asked for is a failure.
pub struct Check {
    pub expected: Map<String, Value>,
    tolerance: Tolerance,
    pub least: f64,
    compared: usize,
    pub elsewhere: Vec<(String, &'static str)>,
}

impl Check {
    pub fn of(case: &Value) -> Result<Self, String> {
        Ok(Check {
            expected: case["expected"].as_object().ok_or("expects nothing")?.clone(),
            tolerance: Tolerance::read(case.get("tolerance"), case.get("precision"))?,
            least: 1e-9,
            compared: 0,
            elsewhere: Vec::new(),
        })
    }

    pub fn take(&mut self, key: &str) -> Result<Value, String> {
        self.expected.remove(key).ok_or_else(|| format!("expects no `{key}`"))
    }

    pub fn close(&mut self, place: &str, got: f64, wanted: &Value, least: f64) -> Result<(), String> {
        let close = match wanted.as_f64() {
            Some(wanted) => self.tolerance.close(got, wanted, least),
            None => got == 0.0,
        };
        if !close {
            return Err(format!("{place}: got {got}, expected {wanted}"));
        }
        self.compared += 1;
        Ok(())
    }

    pub fn number(&mut self, key: &str, got: f64) -> Result<(), String> {
        let wanted = self.take(key)?;
        self.close(key, got, &wanted, self.least)
    }

    pub fn numbers(&mut self, key: &str, got: &[f64]) -> Result<(), String> {
        let wanted = self.take(key)?;
        let wanted = wanted.as_array().ok_or_else(|| format!("{key} is no list"))?;
        self.list(key, got, wanted)
    }

    pub fn list(&mut self, place: &str, got: &[f64], wanted: &[Value]) -> Result<(), String> {
        if got.len() != wanted.len() {
            return Err(format!("{place}: {} values, expected {}", got.len(), wanted.len()));
        }
        for (i, (got, wanted)) in got.iter().zip(wanted).enumerate() {
            self.close(&format!("{place} at {i}"), *got, wanted, self.least)?;
        }
        Ok(())
    }

    /// A map from ids to numbers or truth values.
    pub fn by_id(&mut self, key: &str, ids: &[String], got: &[f64]) -> Result<(), String> {
        let wanted = self.take(key)?;
        for (id, got) in ids.iter().zip(got) {
            let wanted = match wanted.get(id).ok_or_else(|| format!("{key} has no {id}"))? {
                Value::Bool(on) => json!(u8::from(*on)),
                other => other.clone(),
            };
            self.close(&format!("{key} of {id}"), *got, &wanted, self.least)?;
        }
        Ok(())
    }

    /// A map from rollouts to one number per position; tokens outside the mask are not compared.
    pub fn positions(&mut self, key: &str, batch: &Batch, got: &[f64]) -> Result<(), String> {
        let wanted = self.take(key)?;
        for (rollout, id) in batch.ids.iter().enumerate() {
            let range = batch.columns.range(rollout);
            let mut wanted = wanted[id].as_array().ok_or_else(|| format!("{key} has no {id}"))?.clone();
            if wanted.len() != range.len() {
                return Err(format!("{key} of {id}: {} values, expected {}", range.len(), wanted.len()));
            }
            let mut got = got[range].to_vec();
            if let Some(mask) = batch.rows[rollout]["token_mask"].as_array() {
                let kept = |i: &usize| mask[*i] == true;
                wanted = (0..wanted.len()).filter(kept).map(|i| wanted[i].clone()).collect();
                got = (0..got.len()).filter(kept).map(|i| got[i]).collect();
            }
            self.list(&format!("{key} of {id}"), &got, &wanted)?;
        }
        Ok(())
    }

    /// Metrics of a preference run, from the parts of a loss.
    pub fn metrics(&mut self, loss: &Loss) -> Result<(), String> {
        let wanted = self.take("metrics")?;
        for (name, wanted) in wanted.as_object().into_iter().flatten() {
            let got = loss.parts.get(name).ok_or_else(|| format!("no part `{name}`"))?;
            let least = if SINGLE.contains(&name.as_str()) { 1e-6 } else { self.least };
            self.close(name, *got, wanted, least)?;
        }
        Ok(())
    }

    pub fn left(&mut self, keys: &[&str], reason: &'static str) {
        for key in keys {
            if self.expected.remove(*key).is_some() {
                self.elsewhere.push(((*key).to_owned(), reason));
            }
        }
    }

    pub fn done(self) -> Checked {
        if let Some(key) = self.expected.keys().next() {
            return Err(format!("the expected key `{key}` is not known"));
        }
        Ok(match (self.compared, self.elsewhere.first()) {
            (0, None) => Outcome::Listed("no value at a trainable position".into()),
            (compared, None) => Outcome::Asserted(compared),
            (compared, Some(_)) => Outcome::Partly(compared, self.elsewhere),
        })
    }
}

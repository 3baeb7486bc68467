//! Golden cases of the family `process`.

use meed_pipelines::InMemory;
use serde_json::Value;

use super::Family;
use crate::case::Case;

pub struct Process;

impl Family for Process {
    /// The case of PRIME's accuracy band has no log-probabilities, which the recipe reads.
    fn rollouts(&self, case: &Case, mut rollouts: Vec<Value>) -> Result<Vec<Value>, String> {
        if case.recipe == "prime" && case.params.contains_key("filter") {
            for row in &mut rollouts {
                let tokens = row["token_mask"].as_array().map_or(0, Vec::len);
                for column in ["token_prm_logprobs", "token_ref_logprobs"] {
                    row[column] = vec![0.0; tokens].into();
                }
            }
        }
        Ok(rollouts)
    }

    fn key(&self, case: &Case, key: &str, wanted: &Value, given: &InMemory) -> Option<Result<usize, String>> {
        match (case.recipe.as_str(), key) {
            ("prime", "kept_rollouts") => Some(kept(wanted, given)),
            // Without a cap the reference has no weights.
            ("prorag", "sequence_weights") if wanted.is_null() => Some(Ok(0)),
            _ => None,
        }
    }
}

fn kept(wanted: &Value, given: &InMemory) -> Result<usize, String> {
    let got: Vec<&str> = (0..given.unit.rows())
        .filter(|&row| given.evaluated.in_baseline[row])
        .map(|row| given.unit.rollout_id(row))
        .collect();
    if Value::from(got.clone()) == *wanted { Ok(got.len()) } else { Err(format!("kept {got:?}")) }
}

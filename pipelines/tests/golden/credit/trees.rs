//! Golden cases of the family `trees`.

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int64Type;
use meed_operators::sample::strategy::appo_branch_scores;
use meed_pipelines::InMemory;
use serde_json::Value;

use super::{Family, by_id, close};
use crate::case::Case;

pub struct Trees;

impl Family for Trees {
    fn key(&self, case: &Case, key: &str, wanted: &Value, given: &InMemory) -> Option<Result<usize, String>> {
        match (case.recipe.as_str(), key) {
            ("a3", "step_labels") => Some(labels(wanted, given)),
            ("appo", "token_branch_scores") => Some(branch_scores(case, wanted)),
            ("appo", "base_advantages") => Some(base_advantages(case, wanted, given)),
            ("appo", "branches") => Some(branches(case, wanted)),
            _ => None,
        }
    }
}

/// Labels of each scope, which the operator numbers by first appearance as the case does.
fn labels(wanted: &Value, given: &InMemory) -> Result<usize, String> {
    let steps = given.unit.list("step_scope_labels").ok_or("has no step_scope_labels")?;
    let mut compared = 0;
    for (id, wanted) in by_id(wanted)? {
        let row =
            (0..given.unit.rows()).find(|&row| given.unit.rollout_id(row) == id).ok_or("no such rollout")?;
        let lists = steps.value(row);
        let lists = lists.as_list::<i32>();
        let got =
            (0..lists.len()).map(|step| lists.value(step).as_primitive::<Int64Type>().values().to_vec());
        let got = Value::from(got.map(Value::from).collect::<Vec<_>>());
        if got != *wanted {
            return Err(format!("labels of {id}: got {got}, expected {wanted}"));
        }
        compared += got.as_array().map_or(0, Vec::len);
    }
    Ok(compared)
}

/// Of sums of tokens' rewards, which are stored as f32.
fn base_advantages(case: &Case, wanted: &Value, given: &InMemory) -> Result<usize, String> {
    let got = given.evaluated.signal("base_advantages").ok_or("has no base_advantages")?;
    let wanted = by_id(wanted)?;
    for row in 0..given.unit.rows() {
        let id = given.unit.rollout_id(row);
        let want = wanted[id].as_f64().ok_or("an advantage is no number")?;
        if !got.number(row).is_some_and(|got| case.tolerance.close(got, want, 1e-6)) {
            return Err(format!("{id}: got {:?}, expected {want}", got.number(row)));
        }
    }
    Ok(wanted.len())
}

/// Where the sampler would branch: its scores of a rollout, and where they count.
fn scores(case: &Case, id: &str) -> Result<(Vec<f64>, Vec<bool>), String> {
    let rollout = case.rollouts.iter().find(|rollout| rollout["rollout_id"] == *id);
    let rollout = rollout.ok_or_else(|| format!("no rollout is called {id}"))?;
    let numbers = |column: &str| -> Vec<f64> {
        rollout[column].as_array().into_iter().flatten().filter_map(Value::as_f64).collect()
    };
    let (old, sampled) = (numbers("token_old_logprobs"), numbers("token_rollout_logprobs"));
    let log_ratios: Vec<f64> = old.iter().zip(&sampled).map(|(old, sampled)| old - sampled).collect();
    let mask: Vec<bool> =
        rollout["token_mask"].as_array().into_iter().flatten().map(|on| on == &Value::Bool(true)).collect();
    let parameter = |name: &str| case.params[name].as_f64().ok_or_else(|| format!("{name} is no number"));
    let (gamma, clip) = (parameter("gamma")?, parameter("value_clip")?);
    Ok((appo_branch_scores(&numbers("token_entropies"), &log_ratios, &mask, gamma, clip).scores, mask))
}

fn branch_scores(case: &Case, wanted: &Value) -> Result<usize, String> {
    let mut compared = 0;
    for (id, wanted) in by_id(wanted)? {
        let (got, mask) = scores(case, id)?;
        let wanted = wanted.as_array().ok_or("no list of scores")?;
        let known = mask.iter().zip(got.into_iter().zip(wanted)).filter(|(on, _)| **on);
        let (got, wanted): (Vec<f64>, Vec<f64>) =
            known.map(|(_, (got, wanted))| (got, wanted.as_f64().unwrap_or(f64::NAN))).unzip();
        compared += close(id, &got, &wanted, &case.tolerance)?;
    }
    Ok(compared)
}

/// Every branch has the score of the token it leaves at; which are chosen is a test of the sampler.
fn branches(case: &Case, wanted: &Value) -> Result<usize, String> {
    let wanted = wanted.as_array().ok_or("no list of branches")?;
    for branch in wanted {
        let id = branch["rollout_id"].as_str().ok_or("a branch leaves no rollout")?;
        let token = branch["token"].as_u64().ok_or("a branch leaves no token")? as usize;
        let score = branch["score"].as_f64().ok_or("a branch has no score")?;
        close(id, &[scores(case, id)?.0[token]], &[score], &case.tolerance)?;
    }
    Ok(wanted.len())
}

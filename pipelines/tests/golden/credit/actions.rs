//! Golden cases of the family `actions`.

use meed_operators::credit::Level;
use meed_pipelines::InMemory;
use serde_json::{Map, Value, json};

use super::{Family, by_id, close};
use crate::case::Case;

pub struct Actions;

const DIMENSIONS: [&str; 7] =
    ["goal", "relationship", "knowledge", "believability", "secret", "social_rules", "financial"];

impl Family for Actions {
    fn rollouts(&self, case: &Case, mut rollouts: Vec<Value>) -> Result<Vec<Value>, String> {
        for row in rollouts.iter_mut().filter_map(Value::as_object_mut) {
            match case.recipe.as_str() {
                "text2grad" => {
                    if let Some(vectors) = row.remove("token_ref_vocab_logprobs") {
                        row.insert("token_vocab_ref_logprobs".into(), vectors);
                    }
                }
                "sotopia_rl" => dimensions(row)?,
                _ => {}
            }
        }
        Ok(rollouts)
    }

    fn key(&self, case: &Case, key: &str, wanted: &Value, given: &InMemory) -> Option<Result<usize, String>> {
        match (case.recipe.as_str(), key) {
            ("sotopia_rl", "step_dimension_rewards") => Some(dimension_rewards(case, wanted, given)),
            ("ma_rlhf", _) if key.starts_with("macro_") => Some(macros(case, key, wanted, given)),
            ("sotopia_rl", "division_by_zero") => Some(nobody_rewarded(wanted, given)),
            _ => None,
        }
    }
}

/// Objects by dimension as the lists of levels `dimension` and `step.dimension`.
fn dimensions(row: &mut Map<String, Value>) -> Result<(), String> {
    let scores = row.remove("dimension_scores").ok_or("has no dimension_scores")?;
    let attributions = row.remove("step_attributions").ok_or("has no step_attributions")?;
    let steps = row.get("step_kinds").and_then(Value::as_array).map_or(0, Vec::len);
    let of_step =
        |step: usize| -> Value { DIMENSIONS.map(|name| attributions[name][step].clone()).to_vec().into() };
    row.insert("dimension_ids".into(), json!(DIMENSIONS));
    row.insert("dimension_scores".into(), DIMENSIONS.map(|name| scores[name].clone()).to_vec().into());
    row.insert("step_dimension_attributions".into(), (0..steps).map(of_step).collect());
    Ok(())
}

/// A value per macro action, made of tokens' values, which are stored as f32.
fn macros(case: &Case, key: &str, wanted: &Value, given: &InMemory) -> Result<usize, String> {
    let column = given.evaluated.signal(key).ok_or(format!("has no {key}"))?;
    let macros = given.unit.extent(&Level::named("macro")).map_err(|error| error.to_string())?;
    let mut compared = 0;
    for (id, wanted) in by_id(wanted)? {
        let row = row_of(given, id)?;
        let got = &column.as_numbers()[macros.rows[row]..macros.rows[row + 1]];
        let wanted: Vec<f64> = wanted.as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
        if got.len() != wanted.len() {
            return Err(format!("{id}: {} macro actions, expected {}", got.len(), wanted.len()));
        }
        if let Some(at) = (0..got.len()).find(|&at| !case.tolerance.close(got[at], wanted[at], 1e-6)) {
            return Err(format!("{id} at {at}: got {}, expected {}", got[at], wanted[at]));
        }
        compared += got.len();
    }
    Ok(compared)
}

/// Where a case divides by zero, nobody is rewarded.
fn nobody_rewarded(wanted: &Value, given: &InMemory) -> Result<usize, String> {
    let rewards = given.evaluated.signal("step_rewards").ok_or("has no step_rewards")?;
    let steps = given.unit.extent(&Level::named("step")).map_err(|error| error.to_string())?;
    let mut compared = 0;
    for id in wanted.as_array().ok_or("names no rollouts")?.iter().filter_map(Value::as_str) {
        let row = row_of(given, id)?;
        for step in steps.rows[row]..steps.rows[row + 1] {
            if rewards.number(step) != Some(0.0) {
                return Err(format!("{id}: step {step} has {:?}", rewards.number(step)));
            }
            compared += 1;
        }
    }
    Ok(compared)
}

/// Rewards of each dimension, by its name.
fn dimension_rewards(case: &Case, wanted: &Value, given: &InMemory) -> Result<usize, String> {
    let level = Level::named("step.dimension");
    let rewards = given.evaluated.signal("step_dimension_rewards").ok_or("has no step_dimension_rewards")?;
    let cells = given.unit.ranges(&Level::named("step"), &level).map_err(|error| error.to_string())?;
    let steps = given.unit.extent(&Level::named("step")).map_err(|error| error.to_string())?;
    let mut compared = 0;
    for (id, of_dimensions) in by_id(wanted)? {
        let row = row_of(given, id)?;
        for (name, wanted) in of_dimensions.as_object().ok_or("no rewards by dimension")? {
            let at = DIMENSIONS.iter().position(|known| known == name).ok_or(format!("dimension {name}"))?;
            let wanted = wanted.as_array().ok_or("no list of rewards")?;
            let pairs = cells[steps.rows[row]..steps.rows[row + 1]].iter().zip(wanted);
            let known = pairs.filter_map(|(&(first, _), wanted)| Some((first + at, wanted.as_f64()?)));
            let (cells, wanted): (Vec<usize>, Vec<f64>) = known.unzip();
            let got: Vec<f64> = cells.iter().map(|&cell| rewards.number(cell).unwrap_or(f64::NAN)).collect();
            compared += close(&format!("{id} {name}"), &got, &wanted, &case.tolerance)?;
        }
    }
    Ok(compared)
}

fn row_of(given: &InMemory, id: &str) -> Result<usize, String> {
    (0..given.unit.rows()).find(|&row| given.unit.rollout_id(row) == id).ok_or(format!("no rollout {id}"))
}

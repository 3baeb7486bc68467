//! Golden cases of the family `tokens`.

use arrow::array::{Array, AsArray};
use arrow::datatypes::Float64Type;
use meed_pipelines::InMemory;
use serde_json::Value;

use super::{Family, by_id, close};
use crate::case::Case;

pub struct Tokens;

impl Family for Tokens {
    fn rollouts(&self, case: &Case, rollouts: Vec<Value>) -> Result<Vec<Value>, String> {
        match case.recipe.as_str() {
            "spae" => rollouts.into_iter().map(probes_apart).collect(),
            "delta_token" => {
                rollouts.into_iter().map(|row| renamed(row, "token_hidden", "token_hidden_states")).collect()
            }
            _ => Ok(rollouts),
        }
    }

    fn key(&self, case: &Case, key: &str, _: &Value, given: &InMemory) -> Option<Result<usize, String>> {
        match (case.recipe.as_str(), key) {
            // They are no signal: the discriminants must be theirs.
            ("delta_token", "direction" | "offset") => Some(discriminants(case, given)),
            ("delta_token", "token_discriminant") | ("spae", "step_accuracy" | "step_confidence") => {
                Some(added(case, key, given))
            }
            _ => None,
        }
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().into_iter().flatten().map(|x| x.as_f64().unwrap_or(f64::NAN)).collect()
}

/// What an operator added to a rollout: by position, where it is not null.
fn of_rollout(given: &InMemory, column: &str, id: &str) -> Result<Vec<(usize, f64)>, String> {
    let lists = given.unit.list(column).ok_or_else(|| format!("has no {column}"))?;
    let row = (0..given.unit.rows()).find(|&row| given.unit.rollout_id(row) == id);
    let list = lists.value(row.ok_or_else(|| format!("no rollout is called {id}"))?);
    let list = list.as_primitive::<Float64Type>();
    Ok((0..list.len()).filter(|&at| list.is_valid(at)).map(|at| (at, list.value(at))).collect())
}

/// Compares a column that an operator added with the key of its name: every position that is trainable.
fn added(case: &Case, key: &str, given: &InMemory) -> Result<usize, String> {
    let mut compared = 0;
    for (id, wanted) in by_id(&case.expected[key])? {
        let wanted = numbers(wanted);
        let trainable = case.rollouts.iter().find(|rollout| rollout["rollout_id"] == **id);
        let mask = trainable.and_then(|rollout| rollout["token_mask"].as_array()).ok_or("has no mask")?;
        let is_known = |at: usize| !key.starts_with("token_") || mask[at] == true;
        let got = of_rollout(given, key, id)?;
        let at: Vec<usize> = got.iter().map(|(at, _)| *at).collect();
        if at != (0..wanted.len()).filter(|&at| is_known(at)).collect::<Vec<_>>() {
            return Err(format!("{key} of {id} is null elsewhere"));
        }
        let wanted: Vec<f64> = at.iter().map(|&at| wanted[at]).collect();
        let got: Vec<f64> = got.into_iter().map(|(_, x)| x).collect();
        compared += match key {
            "token_discriminant" => single(key, &got, &wanted, case)?,
            _ => close(key, &got, &wanted, &case.tolerance)?,
        };
    }
    Ok(compared)
}

/// Compares what comes of log-probabilities, which are stored as f32.
fn single(what: &str, got: &[f64], wanted: &[f64], case: &Case) -> Result<usize, String> {
    match got.iter().zip(wanted).find(|(got, want)| !case.tolerance.close(**got, **want, 1e-6)) {
        Some((got, want)) => Err(format!("{what}: got {got}, expected {want}")),
        None => Ok(got.len()),
    }
}

/// Every token's discriminant is `v direction + offset`, turned round on the negative side.
fn discriminants(case: &Case, given: &InMemory) -> Result<usize, String> {
    let direction = numbers(&case.expected["direction"]);
    let offset = case.expected["offset"].as_f64().ok_or("offset is no number")?;
    let mut compared = 0;
    for rollout in &case.rollouts {
        let id = rollout["rollout_id"].as_str().ok_or("a rollout has no id")?;
        let side = rollout["advantage"].as_f64().map_or(0.0, |a| if a == 0.0 { 0.0 } else { a.signum() });
        let logprobs = numbers(&rollout["token_old_logprobs"]);
        for (t, got) in of_rollout(given, "token_discriminant", id)? {
            let hidden = numbers(&rollout["token_hidden"][t]);
            let along: f64 =
                hidden.iter().zip(&direction).map(|(h, d)| (1.0 - logprobs[t].exp()) * h * d).sum();
            compared += single("discriminant", &[got], &[side * (along + offset)], case)?;
        }
    }
    Ok(compared)
}

fn renamed(rollout: Value, column: &str, name: &str) -> Result<Value, String> {
    let Value::Object(mut row) = rollout else {
        return Err("a rollout is no object".into());
    };
    let values = row.remove(column).ok_or_else(|| format!("has no {column}"))?;
    row.insert(name.to_owned(), values);
    Ok(Value::Object(row))
}

/// Positions of probes are objects there; a column each here.
fn probes_apart(rollout: Value) -> Result<Value, String> {
    let Value::Object(mut row) = rollout else {
        return Err("a rollout is no object".into());
    };
    let probes = row.remove("step_probes").ok_or("has no step_probes")?;
    for (column, field) in
        [("step_probe_logprobs", "gold_logprob"), ("step_probe_top_logprobs", "top_logprobs")]
    {
        row.insert(column.into(), field_of(&probes, field));
    }
    Ok(Value::Object(row))
}

/// The same lists with a field in place of every object.
fn field_of(value: &Value, field: &str) -> Value {
    match value {
        Value::Array(values) => values.iter().map(|value| field_of(value, field)).collect(),
        Value::Object(object) => object.get(field).cloned().unwrap_or_default(),
        other => other.clone(),
    }
}

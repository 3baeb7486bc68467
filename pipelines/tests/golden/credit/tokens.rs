//! Golden cases of the family `tokens`.

use serde_json::Value;

use super::Family;
use crate::case::Case;

pub struct Tokens;

impl Family for Tokens {
    fn rollouts(&self, case: &Case, rollouts: Vec<Value>) -> Result<Vec<Value>, String> {
        match case.recipe.as_str() {
            "spae" => rollouts.into_iter().map(probes_apart).collect(),
            _ => Ok(rollouts),
        }
    }
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

//! Rows of a golden case as the columns of an objective.

use std::collections::BTreeMap;

use meed_operators::objectives::Columns;
use serde_json::{Map, Value};

/// Numbers of a cell, lists of lists one after another; `None` where it holds text.
fn numbers(cell: &Value) -> Option<Vec<f64>> {
    match cell {
        Value::Number(number) => Some(vec![number.as_f64()?]),
        Value::Bool(truth) => Some(vec![f64::from(u8::from(*truth))]),
        Value::Null => Some(vec![f64::NAN]),
        Value::Array(cells) => {
            let lists: Option<Vec<Vec<f64>>> = cells.iter().map(numbers).collect();
            lists.map(|lists| lists.concat())
        }
        _ => None,
    }
}

/// A column of all rows, one after another.
pub fn flat(rows: &[Map<String, Value>], name: &str) -> Option<Vec<f64>> {
    let cells: Option<Vec<Vec<f64>>> = rows.iter().map(|row| row.get(name).and_then(numbers)).collect();
    cells.map(|cells| cells.concat())
}

/// All rows of a case, with whatever numbers they have; `token_values` are those at sampling, and
/// `token_new_values` those now. A missing number is NaN.
pub fn columns(rows: &[Map<String, Value>]) -> Result<Columns, String> {
    let mut columns = Columns::default();
    let mut groups: BTreeMap<String, usize> = BTreeMap::new();
    let (mut offsets, mut steps) = (vec![0], vec![0]);
    for row in rows {
        let first = *offsets.last().unwrap_or(&0);
        let mask = row.get("token_mask").and_then(Value::as_array).ok_or("has no token_mask")?;
        columns.mask.extend(mask.iter().map(|on| on.as_bool().unwrap_or(false)));
        offsets.push(columns.mask.len());
        for end in row.get("step_ends").and_then(Value::as_array).into_iter().flatten() {
            steps.push(first + end.as_u64().ok_or("step_ends is no number")? as usize);
        }
        let group = row.get("group_id").map(Value::to_string).unwrap_or_default();
        let number = groups.len();
        columns.groups.push(*groups.entry(group).or_insert(number));
    }
    columns.offsets = offsets;
    columns.steps = rows.first().is_some_and(|row| row.contains_key("step_ends")).then_some(steps);
    let names: Vec<&String> = rows.first().into_iter().flat_map(Map::keys).collect();
    for name in names {
        let Some(values) = flat(rows, name) else { continue };
        match name.as_str() {
            "token_logprobs" => columns.logprobs = values,
            "token_old_logprobs" => columns.old_logprobs = Some(values),
            "token_rollout_logprobs" | "token_sampling_logprobs" => columns.rollout_logprobs = Some(values),
            "token_ref_logprobs" => columns.ref_logprobs = Some(values),
            "token_advantages" => columns.advantages = values,
            "token_entropies" => columns.entropies = Some(values),
            "token_values" => columns.old_values = Some(values),
            "token_new_values" => columns.values = Some(values),
            "reward" => columns.rewards = Some(values),
            "token_mask" | "step_ends" => {}
            _ => {
                columns.signals.insert(name.clone(), values);
            }
        }
    }
    if columns.logprobs.is_empty() {
        columns.logprobs = vec![0.0; columns.mask.len()];
    }
    Ok(columns)
}

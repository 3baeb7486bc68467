//! Golden cases of methods with critics, heads of values and retries, of the family `turns`.

use std::collections::BTreeMap;

use meed_operators::credit::{Level, STEP};
use meed_pipelines::InMemory;
use serde_json::{Map, Value};

use super::{Family, by_id, close};
use crate::case::Case;
use crate::compare;

pub struct Critics;

type Compared = Result<usize, String>;

impl Family for Critics {
    fn rollouts(&self, case: &Case, mut rollouts: Vec<Value>) -> Result<Vec<Value>, String> {
        for row in rollouts.iter_mut().filter_map(Value::as_object_mut) {
            match case.recipe.as_str() {
                "r3l" => reflection(row),
                "target_decoupling" => {
                    rename(row, "bootstrap_head_values", "head_bootstrap_values");
                    rename(row, "step_attention_weights", "step_head_attention");
                }
                _ => {}
            }
        }
        Ok(rollouts)
    }

    fn key(&self, case: &Case, key: &str, wanted: &Value, given: &InMemory) -> Option<Compared> {
        match (case.recipe.as_str(), key) {
            // Standardised advantages are a key of their own in this file.
            ("poad", "token_advantages") => Some(as_key("token_raw_advantages", case, wanted, given)),
            ("poad", "token_normalized_advantages") => Some(as_key("token_advantages", case, wanted, given)),
            ("r3l", "selected") => Some(selected(wanted, given)),
            ("r3l", "group_ids") => Some(same_cohorts(wanted, given)),
            ("target_decoupling", "step_head_advantages" | "step_head_returns" | "step_routing_weights") => {
                Some(of_heads(case, key, wanted, given))
            }
            _ => None,
        }
    }
}

/// What a reflection says, as columns. A base's pivot is never read, but where no reflection has one, it gives
/// the column its type.
fn reflection(row: &mut Map<String, Value>) {
    if let Some(said) = row.remove("reflection") {
        row.insert("reflection_outcome".into(), said["outcome"].clone());
        row.insert("retry_from_step".into(), said["retry_from_step"].clone());
    } else if row["kind"] == "base" {
        row.insert("retry_from_step".into(), 0.into());
    }
}

fn rename(row: &mut Map<String, Value>, from: &str, to: &str) {
    if let Some(column) = row.remove(from) {
        row.insert(to.into(), column);
    }
}

fn as_key(key: &str, case: &Case, wanted: &Value, given: &InMemory) -> Compared {
    let wanted: BTreeMap<String, Value> = by_id(wanted)?.clone().into_iter().collect();
    compare::key(key, &wanted, &given.unit, &given.evaluated, given.rows.as_ref(), &case.tolerance)
}

fn selected(wanted: &Value, given: &InMemory) -> Compared {
    let column = given.evaluated.signal("selected").ok_or("has no signal selected")?;
    let chosen = (0..given.unit.rows()).filter(|&row| column.as_booleans()[row]);
    let chosen: Vec<&str> = chosen.map(|row| given.unit.rollout_id(row)).collect();
    let mut wanted: Vec<&str> = wanted.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    wanted.sort_unstable();
    if chosen == wanted { Ok(chosen.len()) } else { Err(format!("selected {chosen:?}, expected {wanted:?}")) }
}

/// Rollouts of one cohort have one name, those of different cohorts different ones.
fn same_cohorts(wanted: &Value, given: &InMemory) -> Compared {
    let column = given.evaluated.signal("cohort").ok_or("has no signal cohort")?;
    let meed_operators::credit::Values::Text(cohorts) = &column.values else {
        return Err("cohort is no text".into());
    };
    let mut names: BTreeMap<(&str, &str), &Value> = BTreeMap::new();
    let wanted = by_id(wanted)?;
    for row in 0..given.unit.rows() {
        if let Some(name) = wanted.get(given.unit.rollout_id(row)) {
            let known = names.entry((given.unit.group_id(row), cohorts.value(row))).or_insert(name);
            if *known != name {
                return Err(format!("{known} and {name} are one cohort"));
            }
        }
    }
    let mut distinct: Vec<&str> = names.values().filter_map(|name| name.as_str()).collect();
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.len() == names.len() { Ok(wanted.len()) } else { Err("cohorts share a name".into()) }
}

/// One value per head in each step.
fn of_heads(case: &Case, key: &str, wanted: &Value, given: &InMemory) -> Compared {
    let column = given.evaluated.signal(key).ok_or(format!("has no {key}"))?;
    let cells = given.unit.ranges(&STEP, &Level::named("step.head")).map_err(|error| error.to_string())?;
    let steps = given.unit.extent(&STEP).map_err(|error| error.to_string())?;
    let mut compared = 0;
    for (id, of_steps) in by_id(wanted)? {
        let row = (0..given.unit.rows()).find(|&row| given.unit.rollout_id(row) == id);
        let row = row.ok_or(format!("no rollout {id}"))?;
        let wanted = of_steps.as_array().into_iter().flatten();
        for (&(first, past), wanted) in cells[steps.rows[row]..steps.rows[row + 1]].iter().zip(wanted) {
            let wanted: Vec<f64> =
                wanted.as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
            let got: Vec<f64> = (first..past).map(|i| column.number(i).unwrap_or(f64::NAN)).collect();
            compared += close(key, &got, &wanted, &case.tolerance)?;
        }
    }
    Ok(compared)
}

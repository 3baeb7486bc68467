//! Comparing what a recipe gave with what a case expects.

use std::collections::BTreeMap;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::Float32Type;
use meed_operators::credit::{Column, Evaluated, ROLLOUT, STEP, TOKEN, Unit};
use meed_pipelines::stored::Summary;
use serde_json::Value;

/// How far a value may be off: `|got - want| <= relative * max(1, |want|)`, 1e-6 for columns that
/// are stored as f32 and 1e-9 for f64 unless the case says more.
pub struct Tolerance {
    given: f64,
}

impl Tolerance {
    pub fn read(tolerance: Option<&Value>, precision: Option<&Value>) -> Result<Self, String> {
        let given = match tolerance {
            None => 0.0,
            Some(Value::Number(number)) => number.as_f64().unwrap_or(0.0),
            Some(Value::String(text)) => {
                text.parse().map_err(|_| format!("tolerance {text:?} is no number"))?
            }
            Some(Value::Object(both)) => {
                ["rtol", "atol"].iter().filter_map(|key| both.get(*key)?.as_f64()).fold(0.0, f64::max)
            }
            Some(other) => return Err(format!("tolerance {other} is not known")),
        };
        let precision = precision.and_then(Value::as_str).unwrap_or_default();
        let single = precision.starts_with("float32");
        let said = match precision.split("tolerance ").nth(1) {
            Some(said) => {
                said.trim().parse().map_err(|_| format!("precision {precision:?} names no tolerance"))?
            }
            None if single => 1e-4,
            None => 0.0,
        };
        Ok(Tolerance { given: given.max(said) })
    }

    /// Whether a value agrees, with at least the tolerance of how it is stored.
    pub fn close(&self, got: f64, wanted: f64, stored: f64) -> bool {
        (got - wanted).abs() <= self.given.max(stored) * wanted.abs().max(1.0)
    }
}

const SINGLE: f64 = 1e-6;
const DOUBLE: f64 = 1e-9;

/// Compares one key of `expected`, and returns how many values agreed.
pub fn key(
    key: &str,
    wanted: &BTreeMap<String, Value>,
    unit: &Unit,
    evaluated: &Evaluated,
    rows: Option<&RecordBatch>,
    tolerance: &Tolerance,
) -> Result<usize, String> {
    let signal = |name: &str| {
        evaluated
            .signal(name)
            .map(|column| column.as_ref())
            .ok_or_else(|| format!("the recipe has no signal `{name}`"))
    };
    match key {
        "token_advantages" | "token_values" => {
            tokens_of_rows(key, wanted, unit, rows.ok_or("has no advantages")?, tolerance)
        }
        "advantages" | "rollout_advantages" | "row_advantages" => {
            whole_rollouts(key, wanted, unit, rows.ok_or("has no advantages")?, tolerance)
        }
        "step_advantages" => elements(key, wanted, unit, signal("advantage")?, tolerance),
        // Without discount the return of every token is the normalised reward, and has no name of its own.
        "token_returns" => {
            elements(key, wanted, unit, signal("returns").or_else(|_| signal("rewards"))?, tolerance)
        }
        "step_state_part" => elements(key, wanted, unit, signal("step_state_advantages")?, tolerance),
        "step_episode_part" => elements(key, wanted, unit, signal("step_episode_advantages")?, tolerance),
        "group_mean" => elements(key, wanted, unit, signal("baseline")?, tolerance),
        "group_std" => elements(key, wanted, unit, signal("std")?, tolerance),
        "center" => elements(key, wanted, unit, signal("baseline")?, tolerance),
        "group_means" => group_means(wanted, unit, signal("advantage")?, tolerance),
        "reported" => reported(unit, evaluated, rows.ok_or("has no advantages")?),
        "kl" => divergence(wanted, unit, signal("gap")?, tolerance),
        "step_state_groups" => match evaluated.signal(key) {
            Some(column) => elements(key, wanted, unit, column, tolerance),
            None => same_groups(wanted, unit),
        },
        other => elements(other, wanted, unit, signal(other)?, tolerance),
    }
}

/// Rows that a key of the expected map means: a rollout, a row of one, or a group.
fn rows_of(unit: &Unit, id: &str) -> Vec<usize> {
    let fits = |row: usize| {
        let rollout = unit.rollout_id(row);
        id.is_empty()
            || rollout == id
            || rollout.split_once('#').is_some_and(|(source, row)| row == id || source == id)
            || unit.group_id(row) == id
    };
    (0..unit.rows()).filter(|&row| fits(row)).collect()
}

fn named_rows(unit: &Unit, key: &str, id: &str) -> Result<Vec<usize>, String> {
    let rows = rows_of(unit, id);
    if rows.is_empty() { Err(format!("{key}: no rollout is called {id}")) } else { Ok(rows) }
}

/// Numbers, with truth values as 1 and 0; `None` where null.
fn list(wanted: &Value) -> Vec<Option<f64>> {
    let number = |value: &Value| value.as_f64().or_else(|| value.as_bool().map(|on| f64::from(u8::from(on))));
    match wanted {
        Value::Array(values) => values.iter().map(number).collect(),
        scalar => vec![number(scalar)],
    }
}

/// Stored token advantages, compared where the mask is true.
fn tokens_of_rows(
    key: &str,
    wanted: &BTreeMap<String, Value>,
    unit: &Unit,
    rows: &RecordBatch,
    tolerance: &Tolerance,
) -> Result<usize, String> {
    let stored =
        rows.column_by_name("token_advantages").ok_or("has no token_advantages")?.as_list::<i32>().clone();
    let mask = unit.list("token_mask").ok_or("has no token_mask")?.clone();
    let mut compared = 0;
    for (id, wanted) in wanted {
        for row in named_rows(unit, key, id)? {
            let (got, mask) = (stored.value(row), mask.value(row));
            let (got, mask): (_, &BooleanArray) = (got.as_primitive::<Float32Type>(), mask.as_boolean());
            let wanted = list(wanted);
            if wanted.len() != got.len() {
                return Err(format!("{key} of {id}: {} values, expected {}", got.len(), wanted.len()));
            }
            for (t, want) in wanted.iter().enumerate() {
                let Some(want) = want.filter(|_| mask.value(t)) else {
                    continue;
                };
                let x = f64::from(got.value(t));
                if !tolerance.close(x, want, SINGLE) {
                    return Err(format!("{key} of {id} at {t}: got {x}, expected {want}"));
                }
                compared += 1;
            }
        }
    }
    Ok(compared)
}

/// One advantage per rollout; null means that the rollout has none and is not trained on.
fn whole_rollouts(
    key: &str,
    wanted: &BTreeMap<String, Value>,
    unit: &Unit,
    rows: &RecordBatch,
    tolerance: &Tolerance,
) -> Result<usize, String> {
    let stored =
        rows.column_by_name("token_advantages").ok_or("has no token_advantages")?.as_list::<i32>().clone();
    let in_loss = rows.column_by_name("in_loss").ok_or("has no in_loss")?.as_boolean().clone();
    let mask = unit.list("token_mask").ok_or("has no token_mask")?.clone();
    let mut compared = 0;
    for (id, wanted) in wanted {
        for row in named_rows(unit, key, id)? {
            let Some(want) = wanted.as_f64() else {
                if in_loss.value(row) {
                    return Err(format!(
                        "{key} of {id}: expected no advantage, but the rollout is in the loss"
                    ));
                }
                compared += 1;
                continue;
            };
            let (got, mask) = (stored.value(row), mask.value(row));
            let (got, mask) = (got.as_primitive::<Float32Type>(), mask.as_boolean());
            for t in (0..got.len()).filter(|&t| mask.value(t)) {
                let x = f64::from(got.value(t));
                if !tolerance.close(x, want, SINGLE) {
                    return Err(format!("{key} of {id}: got {x}, expected {want}"));
                }
                compared += 1;
            }
        }
    }
    Ok(compared)
}

/// A named signal, compared where it is defined by the case and the position is the policy's.
fn elements(
    key: &str,
    wanted: &BTreeMap<String, Value>,
    unit: &Unit,
    column: &Column,
    tolerance: &Tolerance,
) -> Result<usize, String> {
    let text = |error: meed_operators::Error| error.to_string();
    let own = column.level.clone().unwrap_or(ROLLOUT);
    let level = match key.split_once('_').map(|(level, _)| level) {
        Some("token") => TOKEN,
        Some("step") => STEP,
        _ => own.clone(),
    };
    let stored = if level == TOKEN { SINGLE } else { DOUBLE };
    let extent = unit.extent(&level).map_err(text)?;
    let mut source = vec![None; extent.len()];
    for (i, (first, past)) in unit.ranges(&own, &level).map_err(text)?.into_iter().enumerate() {
        source[first..past].fill(Some(i));
    }
    let mask = unit.mask().map_err(text)?;
    let policy = if level == STEP { Some(unit.policy_steps().map_err(text)?) } else { None };
    let counts = |i: usize| match &policy {
        Some(policy) => policy[i],
        None => level != TOKEN || mask.value(i),
    };
    let numbers: Vec<f64> = match &column.values {
        meed_operators::credit::Values::Boolean(truth) => {
            truth.iter().map(|&x| f64::from(u8::from(x))).collect()
        }
        _ => column.as_numbers().to_vec(),
    };
    let mut compared = 0;
    for (id, wanted) in wanted {
        for row in named_rows(unit, key, id)? {
            let wanted = list(wanted);
            let (first, past) = (extent.rows[row], extent.rows[row + 1]);
            if wanted.len() != past - first {
                return Err(format!("{key} of {id}: {} values, expected {}", past - first, wanted.len()));
            }
            for (k, want) in wanted.iter().enumerate() {
                let Some(want) = want.filter(|_| counts(first + k)) else {
                    continue;
                };
                let got = source[first + k].filter(|&i| column.is_valid(i)).map(|i| numbers[i]);
                if !got.is_some_and(|got| tolerance.close(got, want, stored)) {
                    return Err(format!("{key} of {id} at {k}: got {got:?}, expected {want}"));
                }
                compared += 1;
            }
        }
    }
    Ok(compared)
}

fn group_means(
    wanted: &BTreeMap<String, Value>,
    unit: &Unit,
    advantage: &Column,
    tolerance: &Tolerance,
) -> Result<usize, String> {
    for (group, want) in wanted {
        let rows = named_rows(unit, "group_means", group)?;
        let mean = rows.iter().filter_map(|&row| advantage.number(row)).sum::<f64>() / rows.len() as f64;
        let want = want.as_f64().ok_or("a group mean is no number")?;
        if !tolerance.close(mean, want, DOUBLE) {
            return Err(format!("mean of group {group}: got {mean}, expected {want}"));
        }
    }
    Ok(wanted.len())
}

/// The divergence from the teacher or reference: the mean gap over the trainable tokens, turned round.
fn divergence(
    wanted: &BTreeMap<String, Value>,
    unit: &Unit,
    gap: &Column,
    tolerance: &Tolerance,
) -> Result<usize, String> {
    let want = wanted.get("").and_then(Value::as_f64).ok_or("kl is no number")?;
    let mask = unit.mask().map_err(|error| error.to_string())?;
    let gaps: Vec<f64> = (0..mask.len()).filter(|&t| mask.value(t)).filter_map(|t| gap.number(t)).collect();
    let got = -gaps.iter().sum::<f64>() / gaps.len() as f64;
    if tolerance.close(got, want, SINGLE) { Ok(1) } else { Err(format!("kl: got {got}, expected {want}")) }
}

/// A run whose advantages are all 0 for structural reasons must be reported, with its counts.
fn reported(unit: &Unit, evaluated: &Evaluated, rows: &RecordBatch) -> Result<usize, String> {
    let mut summary = Summary::default();
    summary.add(unit, rows, &evaluated.reasons);
    let warning = summary.warning("grpo").ok_or("nothing was reported")?;
    if warning.contains("every group has one rollout") { Ok(1) } else { Err(format!("reported: {warning}")) }
}

/// Equal states are one group: the case's numbers partition the policy steps as their texts do.
fn same_groups(wanted: &BTreeMap<String, Value>, unit: &Unit) -> Result<usize, String> {
    let states = unit.list("step_states").ok_or("has no step_states")?.clone();
    let steps = unit.extent(&STEP).map_err(|error| error.to_string())?;
    let policy = unit.policy_steps().map_err(|error| error.to_string())?;
    let mut number_of: BTreeMap<(String, String), i64> = BTreeMap::new();
    let mut compared = 0;
    for (id, wanted) in wanted {
        for row in named_rows(unit, "step_state_groups", id)? {
            let texts = states.value(row);
            for (k, want) in wanted.as_array().into_iter().flatten().enumerate() {
                if !policy[steps.rows[row] + k] {
                    continue;
                }
                let state = texts.as_string::<i32>().value(k).to_owned();
                let want = want.as_i64().ok_or("a state group is no number")?;
                let known = *number_of.entry((unit.group_id(row).to_owned(), state)).or_insert(want);
                if known != want {
                    return Err(format!("state groups of {id}: {known} and {want} are one state"));
                }
                compared += 1;
            }
        }
    }
    Ok(compared)
}

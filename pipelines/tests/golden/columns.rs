//! Rollouts of a golden case as the flat columns of an objective.

use std::collections::BTreeMap;

use meed_operators::objectives::Columns;
use serde_json::{Map, Value};

use crate::compare::Tolerance;

pub struct Batch {
    pub columns: Columns,
    /// `rollout_id` of each row.
    pub rollouts: Vec<String>,
    /// `row_id` of each row, or its `rollout_id`.
    ids: Vec<String>,
    /// Tokens of the rows that a filter removed, by id.
    dropped: BTreeMap<String, usize>,
}

/// How far a token's value may be off: as f64, or for weights, which are stored as f32 and whose batch means
/// have an epsilon in the reference that no word mentions, a little more.
fn tolerated(key: &str) -> f64 {
    if key == "token_is_weights" { 1e-8 } else { 1e-9 }
}

/// Keys that are read by name.
const NAMED: &[&str] = &[
    "rollout_id",
    "row_id",
    "group_id",
    "iteration",
    "token_mask",
    "token_logprobs",
    "token_old_logprobs",
    "token_rollout_logprobs",
    "token_ref_logprobs",
    "token_advantages",
    "token_entropies",
    "token_new_values",
    "token_values",
    "token_returns",
    "token_ratio",
    "token_loss",
    "token_losses",
    "advantage",
    "row_loss",
    "mean_loss",
    "trainable_tokens",
    "micro_batch",
    "weight",
    "reward",
    "keep",
    "loss_multiplier",
    "trajectory_id",
];

impl Batch {
    /// Rows in file order, without those that a filter removed (`keep` false, `loss_multiplier` 0). A token
    /// loss that is given stands as a log-probability, turned round.
    pub fn read(rows: &[Value]) -> Result<Self, String> {
        let mut batch = Batch {
            columns: Columns { offsets: vec![0], ..Columns::default() },
            rollouts: Vec::new(),
            ids: Vec::new(),
            dropped: BTreeMap::new(),
        };
        let mut numbers: BTreeMap<(&str, String), usize> = BTreeMap::new();
        let mut number = |kind: &'static str, key: &str| {
            let next = numbers.keys().filter(|(known, _)| *known == kind).count();
            *numbers.entry((kind, key.to_owned())).or_insert(next)
        };
        for row in rows {
            let row = row.as_object().ok_or("a rollout is not an object")?;
            let text = |name: &str| row.get(name).and_then(Value::as_str);
            let rollout = text("rollout_id").ok_or("a rollout has no rollout_id")?.to_owned();
            let id = text("row_id").unwrap_or(&rollout).to_owned();
            let tokens = length(row)?;
            let removed = row.get("keep") == Some(&Value::Bool(false))
                || row.get("loss_multiplier").and_then(Value::as_f64) == Some(0.0);
            if removed {
                batch.dropped.insert(id, tokens);
                continue;
            }
            let trajectory = text("trajectory_id").unwrap_or(&rollout);
            let (group, trajectory) =
                (number("group", text("group_id").unwrap_or_default()), number("trajectory", trajectory));
            batch.columns.groups.push(group);
            batch.columns.signals.entry("trajectory".into()).or_default().push(trajectory as f64);
            batch.push(row, tokens)?;
            batch.rollouts.push(rollout);
            batch.ids.push(id);
        }
        Ok(batch)
    }

    fn push(&mut self, row: &Map<String, Value>, tokens: usize) -> Result<(), String> {
        let columns = &mut self.columns;
        let before = columns.tokens();
        let mask = match row.get("token_mask") {
            Some(Value::Array(mask)) => mask.iter().map(|on| on.as_bool().unwrap_or(false)).collect(),
            _ => vec![true; tokens],
        };
        columns.mask.extend(mask);
        columns.offsets.push(before + tokens);
        let list = |name: &str| numbers(row, name, tokens);
        let logprobs = match (list("token_logprobs")?, list("token_new_values")?) {
            (Some(logprobs), _) => logprobs,
            (None, _) => {
                let weight = row.get("weight").and_then(Value::as_f64).unwrap_or(1.0);
                let given = match list("token_loss")? {
                    Some(losses) => Some(losses),
                    None => list("token_losses")?,
                };
                let one = ["row_loss", "mean_loss"].iter().find_map(|name| row.get(*name)?.as_f64());
                let losses = given.or(one.map(|loss| vec![loss; tokens]));
                losses.map_or(vec![0.0; tokens], |losses| losses.iter().map(|loss| -loss * weight).collect())
            }
        };
        if let Some(ratios) = list("token_ratio")? {
            let old = logprobs.iter().zip(ratios).map(|(logprob, ratio)| logprob - ratio.ln()).collect();
            extend(&mut columns.old_logprobs, Some(old));
        }
        columns.logprobs.extend(logprobs);
        extend(&mut columns.old_logprobs, list("token_old_logprobs")?);
        extend(&mut columns.rollout_logprobs, list("token_rollout_logprobs")?);
        extend(&mut columns.ref_logprobs, list("token_ref_logprobs")?);
        extend(&mut columns.entropies, list("token_entropies")?);
        extend(&mut columns.values, list("token_new_values")?);
        extend(&mut columns.old_values, list("token_values")?);
        extend(&mut columns.returns, list("token_returns")?);
        if let Some(reward) = row.get("reward").and_then(Value::as_f64) {
            columns.rewards.get_or_insert_default().push(reward);
        }
        match (list("token_advantages")?, row.get("advantage").and_then(Value::as_f64)) {
            (Some(advantages), _) => columns.advantages.extend(advantages),
            (None, Some(advantage)) => columns.advantages.extend(vec![advantage; tokens]),
            (None, None) => {}
        }
        for (name, value) in row.iter().filter(|(name, _)| !NAMED.contains(&name.as_str())) {
            let signal = columns.signals.entry(name.clone()).or_default();
            match value {
                Value::Array(_) => signal.extend(list(name)?.unwrap_or_default()),
                scalar => signal.push(scalar.as_f64().ok_or(format!("{name} is no number"))?),
            }
        }
        Ok(())
    }

    /// Compares a column of tokens, where the mask is true or everywhere, and returns how many agreed. The
    /// tokens of removed rows have 0.
    pub fn tokens(
        &self,
        key: &str,
        got: &[f64],
        wanted: &Value,
        tolerance: &Tolerance,
        masked_too: bool,
    ) -> Result<usize, String> {
        let wanted = wanted.as_object().ok_or_else(|| format!("{key} is no object"))?;
        let mut compared = 0;
        for (id, wanted) in wanted {
            let wanted = wanted.as_array().ok_or_else(|| format!("{key} of {id} is no list"))?;
            let row = self.ids.iter().position(|known| known == id);
            let range = match (row, self.dropped.get(id)) {
                (Some(row), _) => self.columns.range(row),
                (None, Some(tokens)) if *tokens == wanted.len() => {
                    if wanted.iter().any(|want| value(want).is_some_and(|want| want != 0.0)) {
                        return Err(format!("{key} of {id}: the row was removed, but expects {wanted:?}"));
                    }
                    compared += tokens;
                    continue;
                }
                _ => return Err(format!("{key}: no rollout is called {id}")),
            };
            if range.len() != wanted.len() {
                return Err(format!("{key} of {id}: {} values, expected {}", range.len(), wanted.len()));
            }
            for (t, want) in range.zip(wanted) {
                let gradient_outside = key.starts_with("grad_") && !self.columns.mask[t];
                if !(self.columns.mask[t] || masked_too || gradient_outside) {
                    continue;
                }
                let Some(want) = value(want) else {
                    continue;
                };
                if !tolerance.close(got[t], want, tolerated(key)) {
                    return Err(format!("{key} of {id} at {t}: got {}, expected {want}", got[t]));
                }
                compared += 1;
            }
        }
        Ok(compared)
    }

    /// Compares one value per rollout with that of its trainable tokens, which share it.
    pub fn rows(
        &self,
        key: &str,
        got: &[f64],
        wanted: &Value,
        tolerance: &Tolerance,
    ) -> Result<usize, String> {
        let wanted = wanted.as_object().ok_or_else(|| format!("{key} is no object"))?;
        for (id, want) in wanted {
            let row = self.ids.iter().position(|known| known == id).ok_or(format!("no rollout {id}"))?;
            let want = match want.as_array().map(Vec::as_slice) {
                None => want,
                Some([first, rest @ ..])
                    if rest.iter().all(|other| other == first || value(other) == Some(0.0)) =>
                {
                    first
                }
                Some(_) => return Err(format!("{key} of {id}: its tokens do not share one value")),
            };
            let want = value(want).ok_or_else(|| format!("{key} of {id} is no number"))?;
            for t in self.columns.range(row).filter(|&t| self.columns.mask[t]) {
                if !tolerance.close(got[t], want, 1e-9) {
                    return Err(format!("{key} of {id} at {t}: got {}, expected {want}", got[t]));
                }
            }
        }
        Ok(wanted.len())
    }
}

fn value(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_bool().map(|on| f64::from(u8::from(on))))
}

fn extend(column: &mut Option<Vec<f64>>, values: Option<Vec<f64>>) {
    if let Some(values) = values {
        column.get_or_insert_default().extend(values);
    }
}

fn length(row: &Map<String, Value>) -> Result<usize, String> {
    let lists = row.iter().filter(|(name, _)| name.starts_with("token_"));
    let tokens = lists.filter_map(|(_, value)| value.as_array()).map(Vec::len).next();
    let counted = row.get("trainable_tokens").and_then(Value::as_u64).map(|count| count as usize);
    Ok(tokens.or(counted).unwrap_or(1))
}

fn numbers(row: &Map<String, Value>, name: &str, tokens: usize) -> Result<Option<Vec<f64>>, String> {
    let Some(list) = row.get(name).and_then(Value::as_array) else {
        return Ok(None);
    };
    if list.len() != tokens {
        return Err(format!("{name} has {} values, where there are {tokens} tokens", list.len()));
    }
    list.iter()
        .map(|x| value(x).ok_or(format!("{name} has a value that is no number")))
        .collect::<Result<_, _>>()
        .map(Some)
}

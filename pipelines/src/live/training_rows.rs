//! What update reads of an epoch: rollouts and their credit as flat columns, cut without padding.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, ListArray, RecordBatch};
use arrow::datatypes::{Float32Type, Float64Type, Int32Type};
use meed_operators::credit::Unit;
use meed_operators::objectives::Columns;
use meed_operators::policy::{TokenBatch, TokenScores};
use meed_operators::{Error, Place, Result};

/// Token signals that have a place of their own in [`Columns`]; every other one is passed on by name.
const KNOWN: [&str; 4] =
    ["token_rollout_logprobs", "token_old_logprobs", "token_ref_logprobs", "token_values"];

/// The rollouts of an epoch that take part in the loss, in canonical order.
#[derive(Debug, Clone)]
pub struct TrainingRows {
    tokens: TokenBatch,
    groups: Vec<usize>,
    /// Token offsets at which the steps of each rollout end; absent where a rollout has none.
    steps: Option<Vec<Vec<usize>>>,
    rewards: Option<Vec<f64>>,
    lists: BTreeMap<String, Vec<f64>>,
    scalars: BTreeMap<String, Vec<f64>>,
}

impl TrainingRows {
    /// All rollouts of a unit, before credit: what the learner scores.
    ///
    /// # Errors
    /// Rollouts without token ids.
    pub fn all(unit: &Unit) -> Result<TokenBatch> {
        token_batch(unit, &(0..unit.rows()).collect::<Vec<_>>())
    }

    /// The rollouts with `in_loss`, with the credit of `advantages`: rows of the advantages table in the
    /// order of the unit.
    ///
    /// # Errors
    /// Rollouts without token ids, and rows that do not belong to the unit.
    pub fn new(unit: &Unit, advantages: &RecordBatch) -> Result<Self> {
        let in_loss = advantages
            .column_by_name("in_loss")
            .and_then(|column| column.as_boolean_opt())
            .filter(|in_loss| in_loss.len() == unit.rows())
            .ok_or_else(|| misfit("in_loss"))?;
        let rows: Vec<usize> = (0..unit.rows()).filter(|&row| in_loss.value(row)).collect();
        Self::of(unit, &rows, Some(advantages))
    }

    /// Some rollouts of a unit, with their rows of the advantages table where there are any.
    ///
    /// # Errors
    /// Rollouts without token ids.
    pub(super) fn of(unit: &Unit, rows: &[usize], advantages: Option<&RecordBatch>) -> Result<Self> {
        let tokens = token_batch(unit, rows)?;
        for name in KNOWN {
            whole_or_absent(unit, rows, &tokens, name)?;
        }
        let mut lists = BTreeMap::new();
        let mut scalars = BTreeMap::new();
        let credit = advantages.map(|advantages| (advantages, true));
        for (batch, credit) in std::iter::once((unit.batch(), false)).chain(credit) {
            for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
                let name = field.name();
                if let Some(list) = column.as_list_opt::<i32>()
                    && name.starts_with("token_")
                    && let Some(values) = numbers(list, rows, &tokens)
                {
                    lists.insert(name.clone(), values);
                } else if !credit
                    && let Some(values) = column.as_primitive_opt::<Float64Type>()
                    && rows.iter().all(|&row| values.is_valid(row))
                {
                    scalars.insert(name.clone(), rows.iter().map(|&row| values.value(row)).collect());
                } else if !credit
                    && let Some(what) = name.strip_suffix("_id")
                    && let Some(numbers) = numbered(column, rows)
                {
                    scalars.insert(what.to_owned(), numbers);
                }
            }
        }
        let groups = rows.iter().map(|&row| unit.group_of()[row]).collect();
        let rewards = scalars.remove("reward");
        let steps = steps(unit, rows);
        Ok(TrainingRows { tokens, groups, steps, rewards, lists, scalars })
    }

    /// Number of rollouts.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// True where no rollout is trained on.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Tokens of each rollout, prompt included: what a minibatch is cut by.
    pub fn sizes(&self) -> Vec<usize> {
        let tokens = &self.tokens;
        (0..tokens.len()).map(|row| tokens.prompt(row).len() + tokens.response(row).len()).collect()
    }

    /// Some of the rollouts: what goes through the model, and what the objective reads beside it.
    pub fn select(&self, rollouts: &[usize]) -> (TokenBatch, Columns) {
        let mut batch = TokenBatch::default();
        let mut positions = Vec::new();
        for &rollout in rollouts {
            let range = self.tokens.offsets[rollout]..self.tokens.offsets[rollout + 1];
            batch.push(
                self.tokens.prompt(rollout),
                self.tokens.response(rollout),
                &self.tokens.mask[range.clone()],
            );
            positions.extend(range);
        }
        let pick = |name: &str| -> Option<Vec<f64>> {
            let values = self.lists.get(name)?;
            Some(positions.iter().map(|&position| values[position]).collect())
        };
        let mut signals = BTreeMap::new();
        for name in self.lists.keys().filter(|name| !KNOWN.contains(&name.as_str())) {
            signals.extend(pick(name).map(|values| (name.clone(), values)));
        }
        for (name, values) in &self.scalars {
            signals.insert(name.clone(), rollouts.iter().map(|&row| values[row]).collect());
        }
        let columns = Columns {
            offsets: batch.offsets.clone(),
            groups: renumbered(rollouts.iter().map(|&row| self.groups[row])),
            steps: self.steps.as_ref().map(|steps| {
                let ends = rollouts
                    .iter()
                    .zip(&batch.offsets)
                    .flat_map(|(&rollout, &start)| steps[rollout].iter().map(move |end| start + end));
                std::iter::once(0).chain(ends).collect()
            }),
            mask: batch.mask.clone(),
            old_logprobs: pick("token_old_logprobs").or_else(|| pick("token_rollout_logprobs")),
            rollout_logprobs: pick("token_rollout_logprobs"),
            ref_logprobs: pick("token_ref_logprobs"),
            advantages: pick("token_advantages").unwrap_or_default(),
            weights: pick("token_weights"),
            clip_low: pick("token_clip_low"),
            clip_high: pick("token_clip_high"),
            old_values: pick("token_values"),
            returns: pick("token_returns"),
            rewards: self.rewards.as_ref().map(|rewards| rollouts.iter().map(|&row| rewards[row]).collect()),
            signals,
            ..Columns::default()
        };
        (batch, columns)
    }
}

/// The columns with what the model says now in them.
pub fn with_scores(mut columns: Columns, scores: &TokenScores) -> Columns {
    let wide = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect();
    columns.logprobs = wide(&scores.logprobs);
    columns.entropies = Some(wide(&scores.entropies));
    columns.values = scores.values.as_deref().map(wide);
    columns
}

/// Group numbers from 0, in the order in which they come.
fn renumbered(groups: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut numbers = BTreeMap::new();
    groups
        .map(|group| {
            let next = numbers.len();
            *numbers.entry(group).or_insert(next)
        })
        .collect()
}

fn token_batch(unit: &Unit, rows: &[usize]) -> Result<TokenBatch> {
    let integers = |name: &str| -> Result<&ListArray> {
        unit.list(name)
            .filter(|list| list.values().as_primitive_opt::<Int32Type>().is_some())
            .ok_or_else(|| misfit(name))
    };
    let (prompts, tokens) = (integers("prompt_ids")?, integers("token_ids")?);
    let masks = unit.list("token_mask").ok_or_else(|| misfit("token_mask"))?;
    let mut batch = TokenBatch::default();
    for &row in rows {
        if prompts.is_null(row) || tokens.is_null(row) {
            return Err(Error::data(
                unit.place(row, "token_ids"),
                "the rollout has no token ids, so no model can be trained on it",
                "rollouts that sample makes have them; stored text must be tokenised on import",
            ));
        }
        let mask = masks.value(row);
        let mask: Vec<bool> = mask.as_boolean().iter().map(|trained| trained.unwrap_or_default()).collect();
        batch.push(
            prompts.value(row).as_primitive::<Int32Type>().values(),
            tokens.value(row).as_primitive::<Int32Type>().values(),
            &mask,
        );
    }
    if batch.offsets.is_empty() {
        batch.offsets.push(0);
        batch.prompt_offsets.push(0);
    }
    Ok(batch)
}

/// Where the steps of the rows end, in tokens of the rollout; `None` where a row has no steps.
fn steps(unit: &Unit, rows: &[usize]) -> Option<Vec<Vec<usize>>> {
    let list = unit.list("step_ends")?;
    let of_row = |&row: &usize| -> Option<Vec<usize>> {
        let ends = list.is_valid(row).then(|| list.value(row))?;
        ends.as_primitive_opt::<Int32Type>()?.iter().map(|end| usize::try_from(end?).ok()).collect()
    };
    rows.iter().map(of_row).collect()
}

/// A token signal of the rows as flat numbers; masked tokens without a value have 0. `None` where the
/// column is no signal of numbers, or lacks a value that would be trained on.
fn numbers(list: &ListArray, rows: &[usize], tokens: &TokenBatch) -> Option<Vec<f64>> {
    let mut flat = Vec::with_capacity(tokens.tokens.len());
    for (index, &row) in rows.iter().enumerate() {
        let values = list.is_valid(row).then(|| list.value(row))?;
        let mask = &tokens.mask[tokens.offsets[index]..tokens.offsets[index + 1]];
        if values.len() != mask.len() {
            return None;
        }
        let known = mask.iter().enumerate().all(|(token, &trained)| !trained || values.is_valid(token));
        if !known {
            return None;
        }
        if let Some(values) = values.as_primitive_opt::<Float32Type>() {
            flat.extend(values.iter().map(|value| f64::from(value.unwrap_or_default())));
        } else if let Some(values) = values.as_primitive_opt::<Float64Type>() {
            flat.extend(values.iter().map(Option::unwrap_or_default));
        } else {
            return None;
        }
    }
    Some(flat)
}

/// Refuses rollouts of which only some have a log-probability or value at every trained token: without the
/// column, the objective would take another policy for the one that is meant.
fn whole_or_absent(unit: &Unit, rows: &[usize], tokens: &TokenBatch, name: &str) -> Result<()> {
    let Some(list) = unit.list(name) else { return Ok(()) };
    let lacking = |(index, &row): (usize, &usize)| -> Option<usize> {
        let mask = &tokens.mask[tokens.offsets[index]..tokens.offsets[index + 1]];
        let values = list.is_valid(row).then(|| list.value(row));
        let whole = values.is_some_and(|values| {
            mask.iter().enumerate().all(|(token, &trained)| !trained || values.is_valid(token))
        });
        (!whole).then_some(row)
    };
    match rows.iter().enumerate().find_map(lacking) {
        Some(row) if rows.iter().any(|&row| list.is_valid(row)) => Err(Error::data(
            unit.place(row, name),
            "a token that is trained on has no value, and other rollouts have theirs",
            "give the signal for every trainable token, or leave the column out",
        )),
        _ => Ok(()),
    }
}

fn misfit(column: &str) -> Error {
    Error::data(
        Place::default().column(column),
        "the column is missing or has another type",
        "update needs the rollouts that sample made, and their rows of advantages",
    )
}

/// Ids as numbers in the order in which they come, so that objectives tell by a signal `<what>` which rollouts
/// share their `<what>_id`; `None` where they are no text, or not all known.
fn numbered(ids: &dyn Array, rows: &[usize]) -> Option<Vec<f64>> {
    let ids = ids.as_string_opt::<i32>()?;
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    let mut number = |&row: &usize| {
        let next = known.len();
        ids.is_valid(row).then(|| *known.entry(ids.value(row)).or_insert(next) as f64)
    };
    rows.iter().map(&mut number).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, BooleanArray, StringArray};
    use meed_operators::columns::complete;

    use super::*;

    /// Two rollouts of two tokens, the second token of the first masked.
    fn unit(logprobs: [Option<Vec<Option<f32>>>; 2]) -> Unit {
        let ids = |values: [i32; 2]| Some(values.map(Some).to_vec());
        let masks: Vec<Option<Vec<Option<bool>>>> =
            vec![Some(vec![Some(true), Some(false)]), Some(vec![Some(true); 2])];
        let mut mask = arrow::array::ListBuilder::new(arrow::array::BooleanBuilder::new());
        masks.into_iter().for_each(|row| mask.append_option(row));
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("group_id", Arc::new(StringArray::from(vec!["g", "g"]))),
            ("question_id", Arc::new(StringArray::from(vec!["later", "again"]))),
            ("rollout_id", Arc::new(StringArray::from(vec!["a", "b"]))),
            (
                "prompt_ids",
                Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>([ids([1, 2]), ids([1, 2])])),
            ),
            (
                "token_ids",
                Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>([ids([3, 4]), ids([5, 6])])),
            ),
            ("token_mask", Arc::new(mask.finish())),
            (
                "token_rollout_logprobs",
                Arc::new(ListArray::from_iter_primitive::<Float32Type, _, _>(logprobs)),
            ),
        ];
        let batch = RecordBatch::try_from_iter_with_nullable(
            columns.into_iter().map(|(name, column)| (name, column, true)),
        );
        Unit::new(complete(batch.unwrap(), "memory").unwrap()).unwrap()
    }

    /// The objective of SLATE reads which candidates are of one question.
    #[test]
    fn ids_are_numbers_by_which_objectives_group() {
        let columns = rows(&unit([None, None])).unwrap();
        assert_eq!(columns.rollout_signal("question").unwrap(), [0.0, 1.0]);
        assert_eq!(columns.rollout_signal("group").unwrap(), [0.0, 0.0]);
    }

    fn rows(unit: &Unit) -> Result<Columns> {
        let in_loss: ArrayRef = Arc::new(BooleanArray::from(vec![true, true]));
        let advantages = RecordBatch::try_from_iter([("in_loss", in_loss)]).unwrap();
        Ok(TrainingRows::new(unit, &advantages)?.select(&[0, 1]).1)
    }

    #[test]
    fn a_missing_log_probability_is_never_a_number() {
        let whole = unit([Some(vec![Some(-1.0), None]), Some(vec![Some(-2.0), Some(-3.0)])]);
        assert_eq!(rows(&whole).unwrap().rollout_logprobs, Some(vec![-1.0, 0.0, -2.0, -3.0]));
        assert_eq!(rows(&unit([None, None])).unwrap().rollout_logprobs, None);
        for torn in [
            unit([Some(vec![Some(-1.0), None]), Some(vec![Some(-2.0), None])]),
            unit([Some(vec![Some(-1.0), None]), None]),
        ] {
            let error = rows(&torn).unwrap_err().to_string();
            assert!(error.contains("rollout b") && error.contains("token_rollout_logprobs"), "{error}");
        }
    }
}

//! Macro actions: consecutive tokens that are credited as one action.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Builder, ListBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type};
use rand::seq::SliceRandom;

use super::AddSignals;
use crate::columns::list_of;
use crate::credit::{TOKEN, Unit};
use crate::random::RandomKey;
use crate::{Error, Place, Result};

/// Where one macro action ends and the next begins.
#[derive(Debug, Clone, PartialEq)]
pub enum Termination {
    /// After every so many trainable tokens.
    Ngram(usize),
    /// After blocks of these sizes, in order; the rest is one macro action.
    Blocks(Vec<usize>),
    /// After blocks of 1, 2, 3, 5 and 10 tokens, each size so many times, in an order that is drawn for each
    /// rollout; the rest is one macro action.
    Randomized {
        /// How often each size comes.
        repeat_times: usize,
        /// Seed of the order.
        seed: u64,
    },
    /// Before every token whose value in this column is exceeded by the next one, such as perplexity.
    Rising(String),
    /// At the ends of given spans: a column `<level>_ends`, such as the constituents of a parse.
    Given(String),
}

const SIZES: [usize; 5] = [1, 2, 3, 5, 10];

/// Adds the level `macro`: `macro_ends` are the exclusive token offsets of a rollout's macro actions.
///
/// Only trainable tokens count; environment tokens belong to the macro action that goes on behind them. The
/// last trainable token is always a macro action of its own, so that the reward that lands on it is not
/// averaged with others. A rollout without trainable tokens has none.
///
/// Where the blocks before the last token come out even, the released code of MA-RLHF enters the last boundary
/// twice: an empty macro action stands before the last token. With `keep_empty` it does so here; without, every
/// macro action has a trainable token.
///
/// ```
/// use std::sync::Arc;
/// use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, ListArray, RecordBatch, StringArray};
/// use arrow::datatypes::Int32Type;
/// use meed_operators::credit::Unit;
/// use meed_operators::signals::{AddSignals, MacroActions, Termination};
///
/// let mask = ListArray::new(
///     Arc::new(arrow::datatypes::Field::new("element", arrow::datatypes::DataType::Boolean, true)),
///     arrow::buffer::OffsetBuffer::from_lengths([6]),
///     Arc::new(BooleanArray::from(vec![true; 6])),
///     None,
/// );
/// let rollout = RecordBatch::try_from_iter([
///     ("iteration", Arc::new(Int64Array::from(vec![0])) as ArrayRef),
///     ("group_id", Arc::new(StringArray::from(vec!["g"]))),
///     ("rollout_id", Arc::new(StringArray::from(vec!["a"]))),
///     ("token_mask", Arc::new(mask)),
/// ])?;
/// let pairs = MacroActions { termination: Termination::Ngram(2), keep_empty: true };
/// let ends = pairs.apply(&Unit::new(rollout)?)?;
/// let ends = ends[0].as_list::<i32>().values().as_primitive::<Int32Type>().values().to_vec();
/// assert_eq!(ends, [2, 4, 5, 6]);
/// # Ok::<(), meed_operators::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct MacroActions {
    /// Where macro actions end.
    pub termination: Termination,
    /// Keep the empty macro action of the released code.
    pub keep_empty: bool,
}

impl AddSignals for MacroActions {
    fn name(&self) -> &str {
        "macro_actions"
    }

    fn reads(&self) -> Vec<String> {
        match &self.termination {
            Termination::Rising(column) | Termination::Given(column) => vec![column.clone()],
            _ => Vec::new(),
        }
    }

    fn adds(&self) -> Vec<Field> {
        vec![Field::new("macro_ends", list_of(DataType::Int32), true)]
    }

    fn apply(&self, unit: &Unit) -> Result<Vec<ArrayRef>> {
        let (mask, tokens) = (unit.mask()?, unit.extent(&TOKEN)?);
        let field = Arc::new(Field::new("element", DataType::Int32, true));
        let mut ends = ListBuilder::new(Int32Builder::new()).with_field(field);
        let column = self.reads().into_iter().next();
        for row in 0..unit.rows() {
            let first = tokens.rows[row];
            let length = tokens.rows[row + 1] - first;
            let trainable: Vec<usize> = (0..length).filter(|token| mask.value(first + token)).collect();
            let given = column.as_ref().map(|name| values(unit, name, row)).transpose()?;
            if given.as_ref().is_some_and(Option::is_none) {
                ends.append(false);
                continue;
            }
            let given = given.flatten().unwrap_or_default();
            let mut found = self.ends(&trainable, &given, |seed| {
                RandomKey::new(seed, unit.iteration(row) as u64, unit.group_id(row), unit.rollout_id(row))
            });
            if !self.keep_empty || matches!(self.termination, Termination::Given(_)) {
                found = without_empty(&found, &trainable);
            }
            ends.values().append_slice(&found.iter().map(|&end| end as i32).collect::<Vec<_>>());
            ends.append(true);
        }
        Ok(vec![Arc::new(ends.finish())])
    }
}

impl MacroActions {
    /// Ends of the macro actions of one rollout with these trainable tokens; `given` are the values of the
    /// column that the termination reads.
    fn ends(&self, trainable: &[usize], given: &[Option<f64>], key: impl Fn(u64) -> RandomKey) -> Vec<usize> {
        let Some((&last, before)) = trainable.split_last() else {
            return Vec::new();
        };
        let mut ends = match &self.termination {
            Termination::Ngram(size) => blocks(before, std::iter::repeat(*size)),
            Termination::Blocks(sizes) => blocks(before, sizes.iter().copied()),
            Termination::Randomized { repeat_times, seed } => {
                let mut sizes = SIZES.repeat(*repeat_times);
                sizes.shuffle(&mut key(*seed).within("macro actions").at(0));
                blocks(before, sizes.into_iter())
            }
            Termination::Rising(_) => {
                let value = |token: usize| given.get(token).copied().flatten();
                let rising = |pair: &&[usize]| match (value(pair[0]), value(pair[1])) {
                    (Some(now), Some(next)) => next > now,
                    _ => false,
                };
                trainable.windows(2).skip(1).filter(rising).map(|pair| pair[0]).collect()
            }
            Termination::Given(_) => {
                let inside = |end: &usize| *end < last;
                given.iter().flatten().map(|&end| end as usize).filter(inside).collect()
            }
        };
        ends.extend([last, last + 1]);
        ends
    }
}

/// Ends of consecutive blocks of trainable tokens, as long as there are sizes.
fn blocks(tokens: &[usize], sizes: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut past = 0;
    let ends = sizes.map_while(|size| {
        past += size;
        if size == 0 { None } else { tokens.get(past - 1).map(|token| token + 1) }
    });
    ends.collect()
}

/// The same ends where every span has a trainable token: a span without one joins the one before it, or the next
/// one at the start.
fn without_empty(ends: &[usize], trainable: &[usize]) -> Vec<usize> {
    let mut kept: Vec<usize> = Vec::new();
    let mut counted = 0;
    for &end in ends {
        let count = trainable.partition_point(|&token| token < end);
        match kept.last_mut() {
            _ if count > counted => kept.push(end),
            Some(before) => *before = end,
            None => {}
        }
        counted = count;
    }
    kept
}

/// The numbers of a row's list; `None` where it is null.
fn values(unit: &Unit, name: &str, row: usize) -> Result<Option<Vec<Option<f64>>>> {
    let list = unit.list(name).ok_or_else(|| {
        Error::data(Place::default().column(name), "is not a list", "one number per element of its level")
    })?;
    if list.is_null(row) {
        return Ok(None);
    }
    let numbers = cast(&list.value(row), &DataType::Float64)?;
    Ok(Some(numbers.as_primitive::<Float64Type>().iter().collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(termination: Termination, trainable: &[usize], given: &[f64]) -> Vec<usize> {
        let given: Vec<Option<f64>> = given.iter().copied().map(Some).collect();
        let key = |seed| RandomKey::new(seed, 0, "g", "a");
        MacroActions { termination, keep_empty: true }.ends(trainable, &given, key)
    }

    #[test]
    fn blocks_that_come_out_even_leave_an_empty_one() {
        let all: Vec<usize> = (0..9).collect();
        assert_eq!(ends(Termination::Ngram(5), &all, &[]), [5, 8, 9]);
        assert_eq!(ends(Termination::Ngram(2), &all, &[]), [2, 4, 6, 8, 8, 9]);
        assert_eq!(without_empty(&[2, 4, 6, 8, 8, 9], &all), [2, 4, 6, 8, 9]);
        assert_eq!(ends(Termination::Blocks(vec![5, 3, 2]), &all, &[]), [5, 8, 8, 9]);
        assert_eq!(ends(Termination::Blocks(vec![3]), &all, &[]), [3, 8, 9]);
        assert_eq!(ends(Termination::Ngram(3), &[0], &[]), [0, 1]);
        assert_eq!(without_empty(&[0, 1], &[0]), [1]);
        assert!(ends(Termination::Ngram(3), &[], &[]).is_empty());
    }

    #[test]
    fn environment_tokens_do_not_count() {
        let trainable = [0, 3, 4, 5, 9];
        assert_eq!(ends(Termination::Ngram(2), &trainable, &[]), [4, 6, 9, 10]);
        assert_eq!(without_empty(&[4, 6, 9, 10], &trainable), [4, 9, 10]);
    }

    #[test]
    fn a_rise_begins_a_macro_action() {
        let all: Vec<usize> = (0..5).collect();
        let rising = |values: &[f64]| ends(Termination::Rising("token_perplexities".into()), &all, values);
        assert_eq!(rising(&[1.0, 2.0, 1.0, 3.0, 1.0]), [2, 4, 5]);
        assert_eq!(rising(&[3.0, 2.0, 1.0, 1.0, 2.0]), [3, 4, 5]);
    }

    #[test]
    fn given_spans_end_before_the_last_token() {
        let given = |values: &[f64]| ends(Termination::Given("parse_ends".into()), &[0, 1, 2, 3], values);
        assert_eq!(given(&[2.0, 4.0]), [2, 3, 4]);
        assert_eq!(given(&[3.0, 4.0]), [3, 4]);
    }

    #[test]
    fn drawn_blocks_use_every_size_and_depend_on_the_seed() {
        let all: Vec<usize> = (0..100).collect();
        let drawn = |seed| ends(Termination::Randomized { repeat_times: 1, seed }, &all, &[]);
        let mut sizes: Vec<usize> = Vec::new();
        let mut begin = 0;
        for &end in &drawn(1)[..5] {
            sizes.push(end - begin);
            begin = end;
        }
        sizes.sort_unstable();
        assert_eq!(sizes, SIZES);
        assert_eq!(drawn(1)[5..], [99, 100]);
        assert_eq!(drawn(1), drawn(1));
        assert!((2..9).any(|seed| drawn(seed) != drawn(1)));
    }
}

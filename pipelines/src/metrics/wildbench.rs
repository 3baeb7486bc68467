//! WildBench: verdicts against baseline models as a reward, scores of answers, and means over tasks.
//!
//! A batch has one row per comparison, or per scored answer:
//!
//! | column | read by | |
//! |---|---|---|
//! | `verdict` | [`reward`], [`mean_reward`] | Utf8: `win_much`, `win`, `tie`, `lose`, `lose_much`; null where it could not be parsed |
//! | `length`, `baseline_length` | the same, with a margin | Int64: characters of the answer and of the baseline's |
//! | `baseline` | [`mean_reward`] | Utf8: the model that the answer was compared with |
//! | `score` | [`wb_score`], [`task_macro`] | Float64, 1 to 10; null where the judge failed |
//! | `category` | [`task_macro`] | Utf8: a name of [`CATEGORIES`]; an answer of several tasks has a row for each |

use std::collections::BTreeMap;

use arrow::array::{Int64Array, RecordBatch};
use meed_operators::{Error, Place, Result};

use super::columns::{at, integers, mean, none_is_null, numbers, required, texts};

/// Tasks and their weights in [`task_macro`].
pub const CATEGORIES: &[(&str, f64)] = &[
    ("creative", 0.5),
    ("planning_and_reasoning", 1.25),
    ("math_and_data", 1.0),
    ("information_seeking", 0.75),
    ("coding", 1.25),
];

/// The mean reward of verdicts: 1, 1/2, 0, -1/2, -1 from `win_much` to `lose_much`; `None` without a verdict.
///
/// With a `margin`, a slight win or loss is a tie where the winner is longer by more than that many characters;
/// the paper's is 500. Verdicts that could not be parsed do not count; the authors' script divides by all rows.
///
/// ```
/// use std::sync::Arc;
/// use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
/// use meed_pipelines::metrics::wildbench::reward;
///
/// let verdicts = ["win_much", "win_much", "win", "win", "win", "tie", "lose", "lose", "lose", "lose_much"];
/// let lengths = [900, 900, 1700, 900, 900, 900, 900, 900, 900, 900];
/// let comparisons = RecordBatch::try_from_iter([
///     ("verdict", Arc::new(StringArray::from_iter_values(verdicts)) as ArrayRef),
///     ("length", Arc::new(Int64Array::from_iter_values(lengths))),
///     ("baseline_length", Arc::new(Int64Array::from_iter_values([1000; 10]))),
/// ])?;
/// assert_eq!(reward(&comparisons, None)?, Some(0.1));
/// assert_eq!(reward(&comparisons, Some(500))?, Some(0.05));
/// # Ok::<(), meed_operators::Error>(())
/// ```
///
/// # Errors
/// Columns that are missing or of another type, a verdict that is not known, a null length under the rule.
pub fn reward(comparisons: &RecordBatch, margin: Option<u64>) -> Result<Option<f64>> {
    Ok(mean(rewards(comparisons, margin)?.into_iter().flatten()))
}

/// The mean over baseline models of [`reward`]; a model without a verdict is left out.
///
/// # Errors
/// As [`reward`]; a null baseline.
pub fn mean_reward(comparisons: &RecordBatch, margin: Option<u64>) -> Result<Option<f64>> {
    let baselines = texts(comparisons, "baseline")?;
    none_is_null(&baselines, "baseline")?;
    let mut of: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (row, reward) in rewards(comparisons, margin)?.into_iter().enumerate() {
        of.entry(baselines.value(row)).or_default().extend(reward);
    }
    Ok(mean(of.into_values().filter_map(mean)))
}

fn rewards(comparisons: &RecordBatch, margin: Option<u64>) -> Result<Vec<Option<f64>>> {
    let verdicts = texts(comparisons, "verdict")?;
    let lengths = match margin {
        Some(margin) => {
            Some((integers(comparisons, "length")?, integers(comparisons, "baseline_length")?, margin))
        }
        None => None,
    };
    let one = |row: usize| {
        let Some(verdict) = at!(verdicts, row) else {
            return Ok(None);
        };
        let slight = |reward: f64, won: bool| match &lengths {
            Some((own, baseline, margin)) if longer(own, baseline, won, *margin, row)? => Ok(Some(0.0)),
            _ => Ok(Some(reward)),
        };
        match verdict {
            "win_much" => Ok(Some(1.0)),
            "win" => slight(0.5, true),
            "tie" => Ok(Some(0.0)),
            "lose" => slight(-0.5, false),
            "lose_much" => Ok(Some(-1.0)),
            other => Err(Error::data(
                Place::default().row(row as u64).column("verdict"),
                format!("is `{other}`"),
                "win_much, win, tie, lose, lose_much, or null where the verdict could not be parsed",
            )),
        }
    };
    (0..comparisons.num_rows()).map(one).collect()
}

/// True where the winner is longer than the loser by more than the margin.
fn longer(own: &Int64Array, baseline: &Int64Array, won: bool, margin: u64, row: usize) -> Result<bool> {
    let own = required(at!(own, row), "length", row)?;
    let baseline = required(at!(baseline, row), "baseline_length", row)?;
    let (winner, loser) = if won { (own, baseline) } else { (baseline, own) };
    Ok(winner > loser && winner.abs_diff(loser) > margin)
}

/// WB-Score: `2 (mean score - 5)`; `None` without a score.
///
/// # Errors
/// A column that is missing or of another type.
pub fn wb_score(scores: &RecordBatch) -> Result<Option<f64>> {
    Ok(mean(numbers(scores, "score")?.iter().flatten()).map(centred))
}

fn centred(mean: f64) -> f64 {
    (mean - 5.0) * 2.0
}

/// The weighted mean over the tasks of [`CATEGORIES`] of their WB-Scores. A task without a score counts in the
/// denominator, as 0; `None` where no task has one.
///
/// # Errors
/// Columns that are missing or of another type, a category that is null or not known.
pub fn task_macro(scores: &RecordBatch) -> Result<Option<f64>> {
    let (categories, values) = (texts(scores, "category")?, numbers(scores, "score")?);
    let mut of: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for row in 0..scores.num_rows() {
        let category = required(at!(categories, row), "category", row)?;
        if !CATEGORIES.iter().any(|(known, _)| *known == category) {
            let known: Vec<&str> = CATEGORIES.iter().map(|(known, _)| *known).collect();
            return Err(Error::data(
                Place::default().row(row as u64).column("category"),
                format!("is `{category}`"),
                format!("one of {}", known.join(", ")),
            ));
        }
        of.entry(category).or_default().extend(at!(values, row));
    }
    let scored = CATEGORIES
        .iter()
        .filter_map(|(category, weight)| Some(weight * centred(mean(of.get(category)?.iter().copied())?)));
    let scored: Vec<f64> = scored.collect();
    let all: f64 = CATEGORIES.iter().map(|(_, weight)| weight).sum();
    Ok((!scored.is_empty()).then(|| scored.iter().sum::<f64>() / all))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array, StringArray};

    use super::*;

    /// Verdict, baseline, length and length of the baseline's answer.
    type Row = (Option<&'static str>, &'static str, i64, i64);

    fn compared(rows: &[Row]) -> RecordBatch {
        let integers =
            |of: fn(&Row) -> i64| Arc::new(Int64Array::from_iter_values(rows.iter().map(of))) as ArrayRef;
        RecordBatch::try_from_iter_with_nullable([
            ("verdict", Arc::new(StringArray::from_iter(rows.iter().map(|row| row.0))) as ArrayRef, true),
            ("baseline", Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.1))), true),
            ("length", integers(|row| row.2), true),
            ("baseline_length", integers(|row| row.3), true),
        ])
        .unwrap()
    }

    fn scored(rows: &[(&str, Option<f64>)]) -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable([
            (
                "category",
                Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.0))) as ArrayRef,
                true,
            ),
            ("score", Arc::new(Float64Array::from_iter(rows.iter().map(|row| row.1))), true),
        ])
        .unwrap()
    }

    #[test]
    fn only_slight_verdicts_of_longer_winners_become_ties() {
        let alone = |verdict: &'static str, own, baseline| {
            reward(&compared(&[(Some(verdict), "a", own, baseline)]), Some(500)).unwrap()
        };
        assert_eq!(alone("win", 1501, 1000), Some(0.0));
        assert_eq!(alone("win", 1500, 1000), Some(0.5));
        assert_eq!(alone("win", 100, 1000), Some(0.5));
        assert_eq!(alone("lose", 1000, 1501), Some(0.0));
        assert_eq!(alone("lose", 1501, 1000), Some(-0.5));
        assert_eq!(alone("win_much", 9000, 1000), Some(1.0));
        assert_eq!(alone("lose_much", 1000, 9000), Some(-1.0));
    }

    #[test]
    fn baselines_weigh_the_same_and_unparsable_verdicts_do_not_count() {
        let rows = compared(&[
            (Some("win_much"), "a", 1, 1),
            (Some("lose"), "b", 1, 1),
            (Some("lose"), "b", 1, 1),
            (None, "b", 1, 1),
            (None, "c", 1, 1),
        ]);
        assert_eq!(mean_reward(&rows, None).unwrap(), Some(0.25));
        assert_eq!(reward(&rows, None).unwrap(), Some(0.0));
        assert_eq!(reward(&compared(&[(None, "a", 1, 1)]), None).unwrap(), None);
    }

    #[test]
    fn scores_are_centred_at_5() {
        let scores = scored(&[("coding", Some(7.0)), ("coding", None), ("creative", Some(7.8))]);
        assert!((wb_score(&scores).unwrap().unwrap() - 4.8).abs() < 1e-12);
    }

    #[test]
    fn absent_categories_count_in_the_denominator() {
        let scores = scored(&[("coding", Some(7.0)), ("coding", Some(9.0)), ("creative", Some(6.0))]);
        let wanted = (1.25 * 6.0 + 0.5 * 2.0) / 4.75;
        assert!((task_macro(&scores).unwrap().unwrap() - wanted).abs() < 1e-12);
        assert_eq!(task_macro(&scored(&[("coding", None)])).unwrap(), None);
    }

    #[test]
    fn unknown_words_are_errors() {
        let error = reward(&compared(&[(Some("draw"), "a", 1, 1)]), None).unwrap_err();
        assert!(error.to_string().contains("`draw`"), "{error}");
        let error = task_macro(&scored(&[("sports", Some(1.0))])).unwrap_err();
        assert!(error.to_string().contains("`sports`"), "{error}");
    }
}

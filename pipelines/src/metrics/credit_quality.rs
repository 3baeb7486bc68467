//! How good credit is where the truth is known: on tasks with marked critical steps, or by replays.
//!
//! A batch has one row per step of a rollout, or per alternative of a decision:
//!
//! | column | read by | |
//! |---|---|---|
//! | `context` | all | Utf8: the rollout, or the decision whose alternatives are compared |
//! | `credit` | all | Float64: what a method assigned; a row with a null there does not count |
//! | `truth` | [`fidelity`], [`sign_accuracy`] | Float64: what the step really changed, by an oracle or many replays; null where unknown |
//! | `critical` | [`critical_mass`], [`sign_accuracy`] | Boolean: the step decides the outcome |
//!
//! The protocol is that of the survey From Reasoning to Agentic: Credit Assignment in Reinforcement Learning
//! for Large Language Models, with the fidelity and variance of C3 (arXiv 2603.06859, `c3/analysis/metrics.py`).

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use meed_operators::Result;
use statrs::statistics::{Data, OrderStatistics, RankTieBreaker, Statistics};

use super::columns::{at, flags, mean, none_is_null, numbers, texts};

/// Spearman's rank correlation of credit and truth over all rows with both, ties by average rank; 0 where one
/// of them does not vary.
///
/// ```
/// use std::sync::Arc;
/// use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
/// use meed_pipelines::metrics::credit_quality::fidelity;
///
/// let columns: [(&str, ArrayRef); 3] = [
///     ("context", Arc::new(StringArray::from(vec!["c"; 4]))),
///     ("credit", Arc::new(Float64Array::from(vec![0.5, 0.5, 0.0, -1.0]))),
///     ("truth", Arc::new(Float64Array::from(vec![0.35, -0.05, 0.1, -0.4]))),
/// ];
/// let rows = RecordBatch::try_from_iter(columns)?;
/// assert!((fidelity(&rows)? - 0.6324555320).abs() < 1e-9);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Columns that are missing or of another type.
pub fn fidelity(rows: &RecordBatch) -> Result<f64> {
    let (credit, truth) = (numbers(rows, "credit")?, numbers(rows, "truth")?);
    let both = (0..rows.num_rows()).filter_map(|row| Some((at!(credit, row)?, at!(truth, row)?)));
    let (credit, truth): (Vec<f64>, Vec<f64>) = both.unzip();
    let ranks = |values: Vec<f64>| Data::new(values).ranks(RankTieBreaker::Average);
    let (credit, truth) = (ranks(credit), ranks(truth));
    let spread = credit.iter().population_std_dev() * truth.iter().population_std_dev();
    // Without rows the deviations are NaN.
    Ok(if spread > 0.0 { credit.iter().population_covariance(truth.iter()) / spread } else { 0.0 })
}

/// The mean over contexts of `sum |credit| of critical steps / sum |credit|`: 1 is all credit where the
/// outcome is decided. Contexts without a critical step or without credit do not count; `None` without any.
///
/// # Errors
/// Columns that are missing or of another type.
pub fn critical_mass(rows: &RecordBatch) -> Result<Option<f64>> {
    let (context, credit, critical) =
        (texts(rows, "context")?, numbers(rows, "credit")?, flags(rows, "critical")?);
    none_is_null(&context, "context")?;
    let mut masses: BTreeMap<&str, (f64, f64, bool)> = BTreeMap::new();
    for row in 0..rows.num_rows() {
        let Some(credit) = at!(credit, row) else { continue };
        let mass = masses.entry(context.value(row)).or_default();
        mass.1 += credit.abs();
        if at!(critical, row) == Some(true) {
            mass.0 += credit.abs();
            mass.2 = true;
        }
    }
    let counted = masses.into_values().filter(|(_, all, decided)| *decided && *all > 0.0);
    Ok(mean(counted.map(|(critical, all, _)| critical / all)))
}

/// The share of critical steps whose credit has the sign of the truth; `None` without any.
///
/// # Errors
/// Columns that are missing or of another type.
pub fn sign_accuracy(rows: &RecordBatch) -> Result<Option<f64>> {
    let (credit, truth, critical) =
        (numbers(rows, "credit")?, numbers(rows, "truth")?, flags(rows, "critical")?);
    let agree = (0..rows.num_rows()).filter(|&row| at!(critical, row) == Some(true)).filter_map(|row| {
        let (credit, truth) = (at!(credit, row)?, at!(truth, row)?);
        Some(f64::from(u8::from(credit * truth > 0.0 || (credit == 0.0 && truth == 0.0))))
    });
    Ok(mean(agree))
}

/// The mean over contexts of the population variance of the credit in each; `None` without any credit.
///
/// # Errors
/// Columns that are missing or of another type.
pub fn variance_in_context(rows: &RecordBatch) -> Result<Option<f64>> {
    let (context, credit) = (texts(rows, "context")?, numbers(rows, "credit")?);
    none_is_null(&context, "context")?;
    let mut contexts: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for row in 0..rows.num_rows() {
        contexts.entry(context.value(row)).or_default().extend(at!(credit, row));
    }
    let variances = contexts.into_values().filter(|credit| !credit.is_empty());
    Ok(mean(variances.map(|credit| credit.population_variance())))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, BooleanArray, Float64Array, StringArray};

    use super::*;

    fn rows(context: &[&str], credit: &[f64], truth: &[f64], critical: &[bool]) -> RecordBatch {
        let columns: [(&str, ArrayRef); 4] = [
            ("context", Arc::new(StringArray::from(context.to_vec()))),
            ("credit", Arc::new(Float64Array::from(credit.to_vec()))),
            ("truth", Arc::new(Float64Array::from(truth.to_vec()))),
            ("critical", Arc::new(BooleanArray::from(critical.to_vec()))),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    /// Alternatives of one message with returns .8, .4, .6, .2, credited leave-one-out.
    #[test]
    fn alternatives_of_a_message() {
        let credit = [0.4, -0.4 / 3.0, 0.4 / 3.0, -0.4];
        let rows = rows(&["m"; 4], &credit, &[0.35, -0.05, 0.1, -0.4], &[false; 4]);
        assert!((fidelity(&rows).unwrap() - 1.0).abs() < 1e-12);
        assert!((variance_in_context(&rows).unwrap().unwrap() - 0.0888888889).abs() < 1e-9);
        assert_eq!(critical_mass(&rows).unwrap(), None);
    }

    /// A chain whose third step alone decides: broadcast credit has a quarter of its mass there, the exact one
    /// four fifths, the rest being luck at the end.
    #[test]
    fn a_chain_with_one_critical_step() {
        let critical = [false, false, true, false];
        let truth = [0.0, 0.0, 0.4, 0.1];
        let broadcast = rows(&["good"; 4], &[0.5; 4], &truth, &critical);
        assert_eq!(critical_mass(&broadcast).unwrap(), Some(0.25));
        let exact = rows(&["good"; 4], &truth, &truth, &critical);
        assert!((critical_mass(&exact).unwrap().unwrap() - 0.8).abs() < 1e-12);
        assert_eq!(sign_accuracy(&exact).unwrap(), Some(1.0));
        let wrong = rows(&["bad"; 4], &[0.0, 0.0, 0.4, 0.1], &[0.0, 0.0, -0.4, -0.1], &critical);
        assert_eq!(sign_accuracy(&wrong).unwrap(), Some(0.0));
        assert_eq!(fidelity(&rows(&["flat"; 4], &[1.0; 4], &truth, &critical)).unwrap(), 0.0);
    }
}

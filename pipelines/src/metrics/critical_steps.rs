//! How much credit is where the outcome is decided, on tasks with marked critical steps.
//!
//! A batch has one row per step of a rollout:
//!
//! | column | read by | |
//! |---|---|---|
//! | `context` | [`critical_mass`] | Utf8: the rollout |
//! | `advantage` | both | Float64: the credit; a row with a null there does not count |
//! | `gain` | [`sign_accuracy`] | Float64: its truth, by an oracle or many replays; null where unknown |
//! | `critical` | both | Boolean: the step decides the outcome |
//!
//! After the survey From Reasoning to Agentic: Credit Assignment in Reinforcement Learning for Large Language
//! Models, whose benchmark protocol was reconstructed from a summary.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use meed_operators::Result;

use super::columns::{at, flags, mean, none_is_null, numbers, texts};

/// The mean over contexts of `sum |credit| of critical steps / sum |credit|`: 1 is all credit where the
/// outcome is decided. Contexts without a critical step or without credit do not count; `None` without any.
///
/// # Errors
/// Columns that are missing or of another type.
pub fn critical_mass(rows: &RecordBatch) -> Result<Option<f64>> {
    let (context, credit, critical) =
        (texts(rows, "context")?, numbers(rows, "advantage")?, flags(rows, "critical")?);
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
        (numbers(rows, "advantage")?, numbers(rows, "gain")?, flags(rows, "critical")?);
    let agree = (0..rows.num_rows()).filter(|&row| at!(critical, row) == Some(true)).filter_map(|row| {
        let (credit, truth) = (at!(credit, row)?, at!(truth, row)?);
        Some(f64::from(u8::from(credit * truth > 0.0 || (credit == 0.0 && truth == 0.0))))
    });
    Ok(mean(agree))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, BooleanArray, Float64Array, StringArray};

    use super::*;

    fn rows(context: &[&str], credit: &[f64], truth: &[f64], critical: &[bool]) -> RecordBatch {
        let columns: [(&str, ArrayRef); 4] = [
            ("context", Arc::new(StringArray::from(context.to_vec()))),
            ("advantage", Arc::new(Float64Array::from(credit.to_vec()))),
            ("gain", Arc::new(Float64Array::from(truth.to_vec()))),
            ("critical", Arc::new(BooleanArray::from(critical.to_vec()))),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
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
    }
}

//! Naive scalar pieces: log-ratios, aggregates.

use super::Naive;
use crate::objectives::{Aggregate, Columns, Mode, Rows};

/// Trainable tokens of a rollout.
pub fn on(columns: &Columns, row: usize) -> Vec<usize> {
    columns.range(row).filter(|&t| columns.mask[t]).collect()
}

/// Rollout of a token.
pub fn row_of(columns: &Columns, t: usize) -> usize {
    (0..columns.rollouts()).find(|&row| columns.range(row).contains(&t)).unwrap()
}

pub fn old(columns: &Columns, t: usize) -> f64 {
    columns.old_logprobs.as_ref().unwrap()[t]
}

/// Mean log-ratio of the token's rollout.
pub fn mean_log_ratio(columns: &Columns, t: usize, logprobs: &[f64]) -> f64 {
    let on = on(columns, row_of(columns, t));
    on.iter().map(|&t| logprobs[t] - old(columns, t)).sum::<f64>() / on.len() as f64
}

fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}

/// One number from the losses of trainable tokens, by the words of each mode.
pub fn aggregate(columns: &Columns, by: &Aggregate, loss: &dyn Fn(usize) -> f64) -> f64 {
    let losses = |row: usize| -> Vec<f64> { on(columns, row).into_iter().map(loss).collect() };
    let rows: Vec<usize> = (0..columns.rollouts()).collect();
    let counted: Vec<usize> =
        rows.iter().copied().filter(|&row| by.rows == Rows::All || !on(columns, row).is_empty()).collect();
    let all: Vec<f64> = rows.iter().flat_map(|&row| losses(row)).collect();
    let sum: f64 = all.iter().sum();
    let of_keys = |key: &dyn Fn(usize) -> usize| {
        let mut keys: Vec<usize> = rows.iter().map(|&row| key(row)).collect();
        keys.sort_unstable();
        keys.dedup();
        let of = |wanted: usize| -> Vec<f64> {
            rows.iter().filter(|&&row| key(row) == wanted).flat_map(|&row| losses(row)).collect()
        };
        mean(&keys.iter().map(|&wanted| mean(&of(wanted))).collect::<Vec<f64>>())
    };
    match by.mode {
        Mode::TokenMean => mean(&all),
        Mode::TokenSum => sum,
        Mode::AllTokens => sum / columns.mask.len().max(1) as f64,
        Mode::Sum { denominator } => sum / denominator,
        Mode::SequenceMeanTokenMean => {
            mean(&counted.iter().map(|&row| mean(&losses(row))).collect::<Vec<f64>>())
        }
        Mode::SequenceMeanTokenSum => {
            mean(&counted.iter().map(|&row| losses(row).iter().sum()).collect::<Vec<f64>>())
        }
        Mode::TokenSumNorm { horizon, divide_by_rows } => {
            sum / horizon / if divide_by_rows { counted.len() as f64 } else { 1.0 }
        }
        Mode::GroupMeanTokenMean => of_keys(&|row| columns.group(row)),
        Mode::TrajectoryMeanTokenMean => of_keys(&|row| columns.signals["trajectory"][row] as usize),
    }
}

/// An objective whose tokens are lost by a rule of `(columns, t, live, frozen)`.
pub fn tokens(
    by: impl Into<Aggregate>,
    rule: impl Fn(&Columns, usize, &[f64], &[f64]) -> f64 + 'static,
) -> Naive {
    let by = by.into();
    Box::new(move |columns, live, frozen| aggregate(columns, &by, &|t| rule(columns, t, live, frozen)))
}

//! Aggregation: from token losses to one number, with every convention of its denominators named.

use std::collections::BTreeMap;

use super::{Columns, exact, over_rollouts};
use crate::Result;

/// How token losses become one number. Sums run over counted tokens (the mask, or `weights`).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Mode {
    /// Sum over all tokens / their number (DAPO; bnpo; verl's token-mean).
    #[default]
    TokenMean,
    /// Sum over all tokens / the number of tokens of the rollouts, those outside the mask included (which
    /// `global_tokens` then counts too).
    AllTokens,
    /// Sum over all tokens.
    TokenSum,
    /// Mean over rollouts of the mean over their tokens (GRPO).
    SequenceMeanTokenMean,
    /// Mean over rollouts of the sum over their tokens.
    SequenceMeanTokenSum,
    /// Sum over all tokens / a constant horizon, and / rollouts where said so (Dr.GRPO, arXiv 2503.20783).
    TokenSumNorm {
        /// The constant, in tokens.
        horizon: f64,
        /// Whether it is also divided by the number of rollouts.
        divide_by_rows: bool,
    },
    /// Mean over groups of the mean over their tokens.
    GroupMeanTokenMean,
    /// Mean over trajectories of the mean over their tokens; rollouts that share a number in the signal
    /// `trajectory` are rows of one.
    TrajectoryMeanTokenMean,
    /// Sum over all tokens / a given number.
    Sum {
        /// What it is divided by.
        denominator: f64,
    },
}

/// Rollouts that count as rows in means over rollouts.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Rows {
    /// All, those without a trainable token too: they add 0.
    #[default]
    All,
    /// Those with at least one trainable token.
    Trainable,
}

/// A mode and its denominators.
///
/// ```
/// use meed_operators::objectives::{Aggregate, Columns, Mode};
/// let columns = Columns {
///     offsets: vec![0, 3, 5],
///     mask: vec![true; 5],
///     ..Columns::default()
/// };
/// let loss = [1.0, 2.0, 3.0, 4.0, 5.0];
/// let of = |mode| Aggregate::from(mode).value(&columns, &loss);
/// assert_eq!(of(Mode::TokenMean)?, 3.0);
/// assert_eq!(of(Mode::SequenceMeanTokenSum)?, 7.5);
/// assert_eq!(of(Mode::SequenceMeanTokenMean)?, 3.25);
/// assert_eq!(of(Mode::TokenSumNorm { horizon: 3.0, divide_by_rows: false })?, 5.0);
/// # Ok::<(), meed_operators::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Aggregate {
    /// How token losses become one number.
    pub mode: Mode,
    /// Rollouts that count.
    pub rows: Rows,
    /// Added to numbers of tokens in denominators.
    pub tokens_eps: f64,
    /// Added to the number of rollouts in denominators.
    pub rows_eps: f64,
    /// Number of tokens of the whole step, where this batch is a part of it.
    pub global_tokens: Option<f64>,
    /// Number of rollouts of the whole step, where this batch is a part of it.
    pub global_rows: Option<f64>,
    /// Multiplies the result: the number of parts that will be averaged.
    pub scale: f64,
}

impl From<Mode> for Aggregate {
    fn from(mode: Mode) -> Self {
        Aggregate {
            mode,
            rows: Rows::All,
            tokens_eps: 0.0,
            rows_eps: 0.0,
            global_tokens: None,
            global_rows: None,
            scale: 1.0,
        }
    }
}

impl Default for Aggregate {
    fn default() -> Self {
        Mode::TokenMean.into()
    }
}

impl Aggregate {
    /// The coefficient of each token's loss in the result: it is linear in them, so this is also its
    /// derivative. `counted` has the weight of each token in sums and denominators, as
    /// [`Columns::counted`] gives it; a token of weight 0 has coefficient 0, and so has every token where
    /// a denominator is 0.
    ///
    /// # Errors
    /// A signal that the mode reads and the batch lacks.
    pub fn coefficients(&self, columns: &Columns, counted: &[f64]) -> Result<Vec<f64>> {
        let total = || self.global_tokens.unwrap_or_else(|| over_rollouts(columns, |t| counted[t]));
        let rows = self.row_count(columns);
        let per_row = |row: usize| counted[columns.range(row)].iter().sum::<f64>();
        let of_rows: Vec<f64> = match self.mode {
            Mode::TokenMean => vec![over(1.0, total() + self.tokens_eps); columns.rollouts()],
            Mode::AllTokens => {
                let all = self.global_tokens.unwrap_or(columns.tokens() as f64);
                vec![over(1.0, all + self.tokens_eps); columns.rollouts()]
            }
            Mode::TokenSum => vec![1.0; columns.rollouts()],
            Mode::Sum { denominator } => vec![over(1.0, denominator); columns.rollouts()],
            Mode::SequenceMeanTokenSum => vec![over(1.0, rows); columns.rollouts()],
            Mode::SequenceMeanTokenMean => (0..columns.rollouts())
                .map(|row| over(over(1.0, per_row(row) + self.tokens_eps), rows))
                .collect(),
            Mode::TokenSumNorm { horizon, divide_by_rows } => {
                let by_rows = if divide_by_rows { rows } else { 1.0 };
                vec![over(over(1.0, horizon), by_rows); columns.rollouts()]
            }
            Mode::GroupMeanTokenMean => {
                let keys: Vec<i64> = (0..columns.rollouts()).map(|row| columns.group(row) as i64).collect();
                self.by_key(&keys, per_row)
            }
            Mode::TrajectoryMeanTokenMean => {
                let keys: Vec<i64> =
                    columns.rollout_signal("trajectory")?.iter().map(|number| *number as i64).collect();
                self.by_key(&keys, per_row)
            }
        };
        let mut coefficients = vec![0.0; columns.tokens()];
        for (row, range) in columns.ranges().enumerate() {
            for t in range {
                coefficients[t] = self.scale * of_rows[row] * counted[t];
            }
        }
        Ok(coefficients)
    }

    /// The aggregate of token losses.
    ///
    /// # Errors
    /// A signal that the mode reads and the batch lacks.
    pub fn value(&self, columns: &Columns, losses: &[f64]) -> Result<f64> {
        let coefficients = self.coefficients(columns, &columns.counted())?;
        let share = |t: usize| if coefficients[t] == 0.0 { 0.0 } else { coefficients[t] * losses[t] };
        Ok(over_rollouts(columns, share))
    }

    /// The same kind of mean, for fractions and other metrics: over rollouts, groups or trajectories where
    /// this aggregate is a mean over them, else over tokens.
    pub fn mean(&self) -> Aggregate {
        let mode = match self.mode {
            Mode::SequenceMeanTokenMean | Mode::SequenceMeanTokenSum => Mode::SequenceMeanTokenMean,
            Mode::GroupMeanTokenMean | Mode::TrajectoryMeanTokenMean => self.mode,
            _ => Mode::TokenMean,
        };
        Aggregate { rows: self.rows, ..mode.into() }
    }

    /// Rollouts in means over rollouts.
    pub fn row_count(&self, columns: &Columns) -> f64 {
        let trained = |row: &usize| columns.range(*row).any(|t| columns.mask[t]);
        let count = match self.rows {
            Rows::All => columns.rollouts(),
            Rows::Trainable => (0..columns.rollouts()).filter(trained).count(),
        };
        self.global_rows.unwrap_or(count as f64) + self.rows_eps
    }

    fn by_key(&self, keys: &[i64], per_row: impl Fn(usize) -> f64) -> Vec<f64> {
        let mut of_key: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
        for (row, key) in keys.iter().enumerate() {
            of_key.entry(*key).or_default().push(per_row(row));
        }
        let sums: BTreeMap<i64, f64> = of_key.into_iter().map(|(key, rows)| (key, exact(rows))).collect();
        let kept = sums.values().filter(|&&sum| self.rows == Rows::All || sum > 0.0).count() as f64;
        let groups = self.global_rows.unwrap_or(kept) + self.rows_eps;
        keys.iter().map(|key| over(over(1.0, sums[key] + self.tokens_eps), groups)).collect()
    }
}

/// A quotient that is 0 where there is nothing to divide by.
fn over(numerator: f64, denominator: f64) -> f64 {
    if denominator == 0.0 { 0.0 } else { numerator / denominator }
}

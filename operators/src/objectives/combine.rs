//! Objectives made of objectives: sums of them, each on its own tokens.

use super::filters::EntropyMask;
use super::{Columns, Loss, Objective};
use crate::Result;

/// A weighted sum of objectives.
pub struct Sum {
    /// Its name.
    pub name: String,
    /// The objectives and their weights.
    pub terms: Vec<(f64, Box<dyn Objective>)>,
}

impl Sum {
    /// The weighted sum of the losses of a batch.
    ///
    /// # Errors
    /// What the objectives fail with.
    pub fn of<'a>(
        terms: impl IntoIterator<Item = (f64, &'a dyn Objective)>,
        columns: &Columns,
    ) -> Result<Loss> {
        let mut sum = Loss { logprobs: vec![0.0; columns.tokens()], ..Loss::default() };
        for (weight, objective) in terms {
            let term = objective.loss(columns)?;
            for (part, value) in &term.parts {
                sum.parts.insert(format!("{}.{part}", objective.name()), *value);
            }
            // Under their plain names stand the parts of the first that has them.
            sum.add_weighted(weight, term);
        }
        sum.parts.insert("policy_loss".into(), sum.value);
        Ok(sum)
    }
}

impl Objective for Sum {
    fn name(&self) -> &str {
        &self.name
    }

    fn loss(&self, columns: &Columns) -> Result<Loss> {
        Sum::of(self.terms.iter().map(|(weight, term)| (*weight, term.as_ref())), columns)
    }
}

/// Which tokens an objective sees.
#[derive(Debug, Clone, PartialEq)]
pub enum Selection {
    /// Trainable tokens whose signal is not 0.
    Signal(String),
    /// Tokens whose signal is not 0, trainable or not.
    AnySignal(String),
    /// Rollouts whose signal is above 0; `reward` is the outcome reward.
    PositiveRows(String),
    /// The tokens of highest entropy.
    TopEntropy(EntropyMask),
}

/// An objective on a part of the tokens: the others are outside its mask, and so of its denominators.
pub struct Selected {
    /// The tokens.
    pub selection: Selection,
    /// The objective.
    pub objective: Box<dyn Objective>,
}

impl Selected {
    /// The mask of the selection.
    ///
    /// # Errors
    /// A signal that the batch lacks.
    pub fn mask(&self, columns: &Columns) -> Result<Vec<bool>> {
        Ok(match &self.selection {
            Selection::Signal(name) => {
                let signal = columns.token_signal(name)?;
                columns.mask.iter().zip(signal).map(|(on, x)| *on && *x != 0.0).collect()
            }
            Selection::AnySignal(name) => columns.token_signal(name)?.iter().map(|x| *x != 0.0).collect(),
            Selection::PositiveRows(name) => {
                let signal =
                    if name == "reward" { columns.rewarded()? } else { columns.rollout_signal(name)? };
                let mut mask = columns.mask.clone();
                for (range, _) in columns.ranges().zip(signal).filter(|(_, x)| **x <= 0.0) {
                    mask[range].fill(false);
                }
                mask
            }
            Selection::TopEntropy(top) => top.kept(columns)?,
        })
    }
}

impl Objective for Selected {
    fn name(&self) -> &str {
        self.objective.name()
    }

    fn loss(&self, columns: &Columns) -> Result<Loss> {
        let mask = self.mask(columns)?;
        self.objective.loss(&Columns { mask, ..columns.clone() })
    }
}

//! Steps of a batch (turns, actions, chunks): their tokens and signals.

use std::ops::Range;

use super::Columns;
use crate::{Error, Result};

impl Columns {
    /// Tokens of each step, in order, those of the environment included.
    ///
    /// # Errors
    /// A batch without steps, or whose steps do not grow from 0 to its number of tokens.
    pub fn step_ranges(&self) -> Result<Vec<Range<usize>>> {
        let ends = self.steps.as_ref().ok_or_else(|| Error::MissingSignal {
            recipe: "objective".into(),
            signal: "step_ends".into(),
            hint: "import or sample rollouts with steps, or choose an objective without them".into(),
        })?;
        let grows = ends.windows(2).all(|step| step[0] <= step[1]);
        if ends.first() != Some(&0) || ends.last() != Some(&self.tokens()) || !grows {
            return Err(Error::usage(
                format!("steps of the batch do not grow from 0 to its {} tokens", self.tokens()),
                "give one offset more than there are steps",
            ));
        }
        Ok(ends.windows(2).map(|step| step[0]..step[1]).collect())
    }

    /// Tokens of a range that are trained on, in order.
    pub fn trainable(&self, range: Range<usize>) -> Vec<usize> {
        range.filter(|&t| self.mask[t]).collect()
    }

    /// A further signal that has one value per step.
    ///
    /// # Errors
    /// A signal that the batch lacks, or of another length.
    pub fn step_signal(&self, name: &str) -> Result<&[f64]> {
        let steps = self.steps.as_ref().map_or(0, |ends| ends.len().saturating_sub(1));
        let values = self.signal(name)?;
        if values.len() == steps {
            return Ok(values);
        }
        Err(Error::usage(
            format!("signal {name} of the batch has {} values for {steps} steps", values.len()),
            "it has one value per step",
        ))
    }
}

//! Who takes part: trainable tokens, policy steps, rollouts of the baseline, and conditions on top.

use std::rc::Rc;

use arrow::array::Array;

use super::Evaluator;
use crate::credit::column::{Column, Values};
use crate::credit::expression::Members;
use crate::credit::level::{Level, ROLLOUT, STEP, TOKEN, TURN};
use crate::{Error, Result};

impl Evaluator<'_> {
    pub(super) fn of_kind(&self, level: &Level, kinds: &[String]) -> Result<Column> {
        let column = crate::credit::load::load(self.unit, "step_kinds", &STEP)?;
        let Values::Text(texts) = &column.values else {
            return Err(Error::expression("step_kinds", "is not text", ""));
        };
        let steps: Vec<bool> = (0..texts.len())
            .map(|i| column.is_valid(i) && kinds.iter().any(|kind| kind == texts.value(i)))
            .collect();
        if *level == STEP {
            return Ok(Column::booleans(Some(STEP), steps));
        }
        let ranges = self.unit.ranges(level, &STEP)?;
        let any = ranges.into_iter().map(|(first, past)| steps[first..past].contains(&true)).collect();
        Ok(Column::booleans(Some(level.clone()), any))
    }

    /// Positions of a level that take part by default; `None` where all do.
    pub(super) fn policy(&self, level: &Level) -> Result<Option<Vec<bool>>> {
        if *level == TOKEN {
            return Ok(Some(self.unit.trainable()?.as_ref().clone()));
        }
        if *level == STEP {
            return Ok(Some(self.unit.policy_steps()?.as_ref().clone()));
        }
        if *level == TURN && self.checked.schema.has_level(&STEP) {
            let steps = self.unit.policy_steps()?;
            let ranges = self.unit.ranges(&TURN, &STEP)?;
            return Ok(Some(
                ranges.into_iter().map(|(first, past)| steps[first..past].contains(&true)).collect(),
            ));
        }
        if *level == ROLLOUT {
            return Ok(Some(self.in_baseline.clone()));
        }
        let Some((outer, _)) = level.parts() else {
            return Ok(None);
        };
        let Some(policy) = self.policy(&outer)? else {
            return Ok(None);
        };
        let column = self.at(&Rc::new(Column::booleans(Some(outer), policy)), level)?;
        Ok(Some(column.as_booleans().to_vec()))
    }

    /// Which positions of a level take part; statistics leave out rollouts outside the baseline.
    pub(super) fn members(&mut self, members: &Members, level: &Level, statistic: bool) -> Result<Vec<bool>> {
        let length = self.unit.extent(level)?.len();
        let by_default = if members.all { None } else { self.policy(level)? };
        let mut taking_part = by_default.unwrap_or_else(|| vec![true; length]);
        if let Some(condition) = &members.condition {
            let condition = self.value(condition)?;
            let condition = self.at(&condition, level)?;
            let constant = condition.level.is_none();
            for (i, member) in taking_part.iter_mut().enumerate() {
                let at = if constant { 0 } else { i };
                *member &= condition.is_valid(at) && condition.as_booleans()[at];
            }
        }
        if statistic {
            let rows = self.unit.ranges(&ROLLOUT, level)?;
            for (row, (first, past)) in rows.into_iter().enumerate() {
                if !self.in_baseline[row] {
                    taking_part[first..past].fill(false);
                }
            }
        }
        Ok(taking_part)
    }
}

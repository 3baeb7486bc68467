//! Bringing values to the level where they meet.

use std::rc::Rc;

use super::Evaluator;
use crate::credit::column::Column;
use crate::credit::level::{Level, ROLLOUT};
use crate::{Error, Result};

impl Evaluator<'_> {
    /// Values of a column at a level that its own level contains; a constant stays one value.
    pub(super) fn at(&self, column: &Rc<Column>, level: &Level) -> Result<Rc<Column>> {
        match &column.level {
            Some(own) if own != level => {}
            _ => return Ok(column.clone()),
        }
        let own = column.level.clone().unwrap_or(ROLLOUT);
        let length = self.unit.extent(level)?.len();
        if let Some((outer, inner)) = level.parts()
            && inner == own
        {
            let mut positions: Vec<Option<usize>> = vec![None; length];
            let items = self.unit.extent(&own)?;
            let owners = self.unit.ranges(&ROLLOUT, &outer)?;
            let parts = self.unit.ranges(&outer, level)?;
            for (row, (first, past)) in owners.into_iter().enumerate() {
                for &(begin, end) in &parts[first..past] {
                    for (k, at) in (begin..end).enumerate() {
                        let item = items.rows[row] + k;
                        positions[at] = (item < items.rows[row + 1]).then_some(item);
                    }
                }
            }
            return Ok(Rc::new(column.gather(Some(level.clone()), &positions)));
        }
        Ok(Rc::new(column.fill(Some(level.clone()), length, &self.unit.ranges(&own, level)?)))
    }

    /// Two columns at the level where they meet; constants stay one value.
    pub(super) fn together(
        &self,
        a: &Rc<Column>,
        b: &Rc<Column>,
    ) -> Result<(Option<Level>, Rc<Column>, Rc<Column>)> {
        let level = match (&a.level, &b.level) {
            (None, level) | (level, None) => level.clone(),
            (Some(x), Some(y)) => Some(self.checked.schema.levels.meet(x, y).ok_or_else(|| {
                Error::expression(x.name(), format!("does not meet level {y}"), "place or fetch items")
            })?),
        };
        match &level {
            None => Ok((level, a.clone(), b.clone())),
            Some(at) => Ok((level.clone(), self.at(a, at)?, self.at(b, at)?)),
        }
    }
}

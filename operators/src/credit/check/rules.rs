//! The rules that operands keep: levels that nest or meet, values of the right type.

use super::Checker;
use crate::credit::column::ValueType;
use crate::credit::expression::{By, Expr, Members, Operator};
use crate::credit::level::{Level, ROLLOUT};
use crate::credit::schema::Type;
use crate::credit::{IN_BASELINE, Reduction};
use crate::{Error, Result};

impl Checker<'_> {
    pub(super) fn level(&mut self, level: &Level) -> Result<Level> {
        if !self.schema.has_level(level) {
            return Err(Error::MissingSignal {
                recipe: self.recipe.to_owned(),
                signal: format!("{level}_…"),
                hint: format!(
                    "no list column belongs to level `{level}`; an importer or operator that makes {level}s provides it"
                ),
            });
        }
        self.levels.insert(level.clone());
        Ok(level.clone())
    }

    pub(super) fn elements(&self, kind: &Type, x: &Expr) -> Result<Level> {
        kind.level.clone().ok_or_else(|| {
            self.fail(format!("`{x}` is a constant and has no positions"), "spread it to a level first")
        })
    }

    pub(super) fn nested(&self, fine: &Level, coarse: &Level) -> Result<()> {
        if self.schema.levels.within(fine, coarse) {
            return Ok(());
        }
        Err(self.fail(
            format!("level {fine} does not lie inside level {coarse}"),
            "reduce goes along token < span < rollout and step < turn; `place` or `fetch` cross item levels",
        ))
    }

    pub(super) fn coarser(&self, level: &Option<Level>, fine: &Level, x: &Expr) -> Result<()> {
        match level {
            None => Ok(()),
            Some(level) if self.schema.levels.within(fine, level) => Ok(()),
            Some(level) => Err(self.fail(
                format!("`{x}` is at level {level}, which is not {fine} or coarser"),
                "reduce it first",
            )),
        }
    }

    /// The values reach `fine` by spreading: they are coarser, or those of the items of a pair.
    pub(super) fn reaches(&self, level: &Option<Level>, fine: &Level, x: &Expr) -> Result<()> {
        match fine.parts() {
            Some((_, inner)) if level.as_ref() == Some(&inner) => Ok(()),
            _ => self.coarser(level, fine, x),
        }
    }

    pub(super) fn meet(&self, a: &Option<Level>, b: &Option<Level>, expr: &Expr) -> Result<Option<Level>> {
        match (a, b) {
            (None, level) | (level, None) => Ok(level.clone()),
            (Some(a), Some(b)) => self.schema.levels.meet(a, b).map(Some).ok_or_else(|| {
                self.fail(
                    format!("`{expr}` combines levels {a} and {b}, which never meet"),
                    "use `place` or `fetch` to bring items to spans",
                )
            }),
        }
    }

    pub(super) fn expect(&self, kind: &Type, wanted: ValueType, x: &Expr) -> Result<()> {
        let fits = kind.value == wanted
            || (wanted == ValueType::Number && matches!(kind.value, ValueType::Integer | ValueType::Boolean));
        if fits {
            return Ok(());
        }
        Err(self.fail(
            format!("`{x}` is {:?}, where {wanted:?} is needed", kind.value),
            "compare or convert it first",
        ))
    }

    pub(super) fn same(&self, a: &Type, b: &Type, left: &Expr, right: &Expr) -> Result<ValueType> {
        use ValueType::{Boolean, Integer, Number, Text};
        match (a.value, b.value) {
            (a, b) if a == b => Ok(a),
            (Number | Integer | Boolean, Number | Integer | Boolean) => Ok(Number),
            (Text, _) | (_, Text) => {
                Err(self
                    .fail(format!("`{left}` and `{right}` are of different types"), "compare text with text"))
            }
        }
    }

    pub(super) fn combine(
        &self,
        operator: Operator,
        a: &Type,
        b: &Type,
        left: &Expr,
        right: &Expr,
    ) -> Result<Type> {
        let level = self.meet(&a.level, &b.level, left)?;
        let value = match operator {
            Operator::And | Operator::Or => {
                self.expect(a, ValueType::Boolean, left)?;
                self.expect(b, ValueType::Boolean, right)?;
                ValueType::Boolean
            }
            Operator::Equals | Operator::Differs => {
                self.same(a, b, left, right)?;
                ValueType::Boolean
            }
            Operator::Less | Operator::AtMost | Operator::Greater | Operator::AtLeast => {
                self.expect(a, ValueType::Number, left)?;
                self.expect(b, ValueType::Number, right)?;
                ValueType::Boolean
            }
            _ => {
                self.expect(a, ValueType::Number, left)?;
                self.expect(b, ValueType::Number, right)?;
                let whole = a.value == ValueType::Integer && b.value == ValueType::Integer;
                let closed = !matches!(operator, Operator::Divide | Operator::Power);
                if whole && closed { ValueType::Integer } else { ValueType::Number }
            }
        };
        Ok(Type { level, value })
    }

    pub(super) fn numeric(&self, reduction: Reduction, expr: &Expr) -> Result<()> {
        match reduction {
            Reduction::Any | Reduction::All => Err(self
                .fail(format!("`{expr}` brings truth values together"), "use max for any and min for all")),
            _ => Ok(()),
        }
    }

    pub(super) fn reduced(
        &self,
        reduction: Reduction,
        kind: &Type,
        x: &Expr,
        weighted: bool,
    ) -> Result<ValueType> {
        use Reduction::{All, Any, Count, First, Last};
        match reduction {
            Count if weighted => Ok(ValueType::Number),
            Count => Ok(ValueType::Integer),
            Any | All => self.expect(kind, ValueType::Boolean, x).map(|()| ValueType::Boolean),
            First | Last => Ok(kind.value),
            _ => self.expect(kind, ValueType::Number, x).map(|()| ValueType::Number),
        }
    }

    pub(super) fn members(&mut self, members: &Members, level: &Level, guarded: bool) -> Result<usize> {
        self.levels.insert(level.clone());
        // Who is in the baseline must be known first.
        let baseline = self.depths.get(IN_BASELINE).copied().unwrap_or(0);
        let Some(condition) = &members.condition else {
            return Ok(baseline);
        };
        let (kind, passes) = self.check(condition, guarded)?;
        self.expect(&kind, ValueType::Boolean, condition)?;
        self.coarser(&kind.level, level, condition)?;
        Ok(passes.max(baseline))
    }

    /// Finest level of the keys (rollout without any), and their batch passes.
    pub(super) fn keys(&mut self, by: &By, from: &Level) -> Result<(Level, usize)> {
        let (mut level, mut passes) = (ROLLOUT, 0);
        for key in &by.keys {
            let (kind, depth) = self.check(key, true)?;
            passes = passes.max(depth);
            if kind.value == ValueType::Number {
                return Err(
                    self.fail(format!("key `{key}` is a real number"), "keys are text, integers or booleans")
                );
            }
            self.coarser(&kind.level, from, key)?;
            level = self.meet(&Some(level), &kind.level, key)?.unwrap_or(ROLLOUT);
        }
        Ok((level, passes))
    }
}

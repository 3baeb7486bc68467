//! The type of every primitive, by those of its operands.

use super::Checker;
use crate::credit::column::ValueType;
use crate::credit::expression::{Expr, Function, Node, Position, Scope, Statistic};
use crate::credit::level::{Level, ROLLOUT, STEP, TOKEN};
use crate::credit::schema::Type;
use crate::credit::{Reduction, Running};
use crate::{Error, Result};

impl Checker<'_> {
    pub(super) fn infer(&mut self, expr: &Expr, guarded: bool) -> Result<(Type, usize)> {
        let mut passes = 0;
        macro_rules! check {
            ($x:expr) => {{
                let (kind, depth) = self.check($x, guarded)?;
                passes = passes.max(depth);
                kind
            }};
        }
        let number = |level: Option<Level>| Type { level, value: ValueType::Number };
        let kind = match expr.node() {
            Node::Signal { name } => {
                if let Some(kind) = self.types.get(name) {
                    passes = self.depths.get(name).copied().unwrap_or(0);
                    kind.clone()
                } else {
                    let Some(kind) = self.schema.signal(name).cloned() else {
                        return Err(Error::MissingSignal {
                            recipe: self.recipe.to_owned(),
                            signal: name.clone(),
                            hint: crate::credit::providers::provider(name).to_owned(),
                        });
                    };
                    self.reads.insert(name.clone());
                    if !guarded {
                        self.required.insert(name.clone());
                    }
                    kind
                }
            }
            Node::Value { .. } => number(None),
            Node::Text { .. } => Type { level: None, value: ValueType::Text },
            Node::Values { level, .. } => number(Some(self.level(level)?)),
            Node::IfPresent { x, otherwise } => {
                let chosen = if self.available(x) { x } else { otherwise };
                check!(chosen)
            }
            Node::Index { level, within } => {
                self.nested(level, within)?;
                Type { level: Some(self.level(level)?), value: ValueType::Integer }
            }
            Node::Count { level, within } => {
                self.nested(level, within)?;
                self.level(level)?;
                Type { level: Some(self.level(within)?), value: ValueType::Integer }
            }
            Node::Mask => Type { level: Some(TOKEN), value: ValueType::Boolean },
            Node::Policy { level } => Type { level: Some(self.level(level)?), value: ValueType::Boolean },
            Node::Kind { level, .. } => {
                if self.schema.signal("step_kinds").is_none() {
                    return Err(Error::MissingSignal {
                        recipe: self.recipe.to_owned(),
                        signal: "step_kinds".into(),
                        hint: crate::credit::providers::provider("step_kinds").to_owned(),
                    });
                }
                self.nested(&STEP, level)?;
                self.reads.insert("step_kinds".into());
                self.levels.insert(STEP);
                Type { level: Some(self.level(level)?), value: ValueType::Boolean }
            }
            Node::Progress { .. } => number(Some(ROLLOUT)),
            Node::Random { level, .. } => {
                self.reads.insert("rollout_id".into());
                number(Some(self.level(level)?))
            }
            Node::Apply { function, x } => {
                let kind = check!(x);
                let wanted = if *function == Function::Not { ValueType::Boolean } else { ValueType::Number };
                self.expect(&kind, wanted, x)?;
                let value = match function {
                    Function::Floor | Function::Ceil | Function::Sign => ValueType::Integer,
                    Function::Negate | Function::Absolute | Function::Square
                        if kind.value == ValueType::Integer =>
                    {
                        ValueType::Integer
                    }
                    _ => wanted,
                };
                Type { level: kind.level, value }
            }
            Node::Combine { operator, a, b } => {
                let (left, right) = (check!(a), check!(b));
                self.combine(*operator, &left, &right, a, b)?
            }
            Node::When { condition, then, otherwise } => {
                let (condition_type, left, right) = (check!(condition), check!(then), check!(otherwise));
                self.expect(&condition_type, ValueType::Boolean, condition)?;
                let value = self.same(&left, &right, then, otherwise)?;
                let level = self.meet(&left.level, &right.level, expr)?;
                Type { level: self.meet(&level, &condition_type.level, expr)?, value }
            }
            Node::OrElse { x, otherwise } => {
                let (left, depth) = self.check(x, true)?;
                passes = passes.max(depth);
                let right = check!(otherwise);
                let value = self.same(&left, &right, x, otherwise)?;
                Type { level: self.meet(&left.level, &right.level, expr)?, value }
            }
            Node::NullIf { x, condition } => {
                let (left, depth) = self.check(x, true)?;
                passes = passes.max(depth);
                let (right, depth) = self.check(condition, true)?;
                passes = passes.max(depth);
                self.expect(&right, ValueType::Boolean, condition)?;
                Type { level: self.meet(&left.level, &right.level, expr)?, value: left.value }
            }
            Node::IsNull { x } => {
                let (kind, depth) = self.check(x, true)?;
                passes = passes.max(depth);
                Type { level: kind.level, value: ValueType::Boolean }
            }
            Node::Shift { x, initial, members, .. } => {
                let mut kind = check!(x);
                let level = self.elements(&kind, x)?;
                if let Some(initial) = initial {
                    let first = check!(initial);
                    kind.value = self.same(&kind, &first, x, initial)?;
                    self.reaches(&first.level, &level, initial)?;
                }
                passes = passes.max(self.members(members, &level, guarded)?);
                kind
            }
            Node::Scan { x, restart, members, running, .. } => {
                let kind = check!(x);
                let level = self.elements(&kind, x)?;
                if let Some(restart) = restart {
                    let condition = check!(restart);
                    self.expect(&condition, ValueType::Boolean, restart)?;
                    self.reaches(&condition.level, &level, restart)?;
                }
                passes = passes.max(self.members(members, &level, guarded)?);
                let value = if *running == Running::Count { ValueType::Integer } else { ValueType::Number };
                if value == ValueType::Number {
                    self.expect(&kind, ValueType::Number, x)?;
                }
                Type { level: Some(level), value }
            }
            Node::Recur { x, coefficient, members, .. } => {
                let kind = check!(x);
                self.expect(&kind, ValueType::Number, x)?;
                let level = self.elements(&kind, x)?;
                let factor = check!(coefficient);
                self.expect(&factor, ValueType::Number, coefficient)?;
                self.reaches(&factor.level, &level, coefficient)?;
                passes = passes.max(self.members(members, &level, guarded)?);
                number(Some(level))
            }
            Node::Reduce { x, level, reduction, weights, members, empty } => {
                let kind = check!(x);
                let from = self.elements(&kind, x)?;
                self.nested(&from, level)?;
                if let Some(weights) = weights {
                    let weight = check!(weights);
                    self.expect(&weight, ValueType::Number, weights)?;
                    self.coarser(&weight.level, &from, weights)?;
                }
                passes = passes.max(self.members(members, &from, guarded)?);
                let mut value = self.reduced(*reduction, &kind, x, weights.is_some())?;
                if empty.is_some() && matches!(reduction, Reduction::First | Reduction::Last) {
                    self.expect(&kind, ValueType::Number, x)?;
                    value = ValueType::Number;
                }
                Type { level: Some(self.level(level)?), value }
            }
            Node::Spread { x, level, position, members } => {
                let kind = check!(x);
                let fine = self.level(level)?;
                match position {
                    Position::All => self.reaches(&kind.level, &fine, x)?,
                    _ => self.coarser(&kind.level, &fine, x)?,
                }
                let mut value = kind.value;
                if *position != Position::All {
                    self.expect(&kind, ValueType::Number, x)?;
                    value = if value == ValueType::Integer { value } else { ValueType::Number };
                }
                passes = passes.max(self.members(members, level, guarded)?);
                Type { level: Some(level.clone()), value }
            }
            Node::Place { x, level, position, reduction } => {
                let (kind, at) = (check!(x), check!(position));
                self.expect(&at, ValueType::Integer, position)?;
                self.meet(&kind.level, &at.level, expr)?;
                self.expect(&kind, ValueType::Number, x)?;
                self.numeric(*reduction, expr)?;
                let whole = *reduction == Reduction::Count
                    || kind.value == ValueType::Integer && *reduction != Reduction::Mean;
                Type {
                    level: Some(self.level(level)?),
                    value: if whole { ValueType::Integer } else { ValueType::Number },
                }
            }
            Node::Aggregate { x, statistic, by, members, weights, once_per, others } => {
                let kind = check!(x);
                let from = self.elements(&kind, x)?;
                let (keys, depth) = self.keys(by, &from)?;
                passes = passes.max(depth);
                for extra in weights.iter().chain(once_per) {
                    let extra_type = check!(extra);
                    if weights.as_ref().is_some_and(|weights| weights.address() == extra.address()) {
                        self.expect(&extra_type, ValueType::Number, extra)?;
                    }
                    self.coarser(&extra_type.level, &from, extra)?;
                }
                passes = passes.max(self.members(members, &from, guarded)?);
                if *statistic == Statistic::UpperPart && (*others || weights.is_none()) {
                    return Err(self.fail(
                        format!("`{expr}` is not defined"),
                        "the sum of the weights is the size of the subset: give weights, and no form over the others",
                    ));
                }
                let ordered = matches!(
                    statistic,
                    Statistic::MedianLower | Statistic::Median | Statistic::Quantile(_) | Statistic::Distinct
                );
                if ordered && (*others || weights.is_some()) {
                    return Err(self.fail(format!("`{expr}` is not defined"), "medians, quantiles and distinct counts have neither weights nor a form over the others"));
                }
                let value = match statistic {
                    Statistic::Count if weights.is_some() => ValueType::Number,
                    Statistic::Count | Statistic::Distinct => ValueType::Integer,
                    Statistic::UpperPart => {
                        self.expect(&kind, ValueType::Number, x)?;
                        ValueType::Integer
                    }
                    _ => {
                        self.expect(&kind, ValueType::Number, x)?;
                        ValueType::Number
                    }
                };
                if by.scope.is_gathered() {
                    passes += 1;
                    if *others || once_per.is_some() {
                        return Err(self.fail(
                            format!("`{expr}` is not defined over a batch or history"),
                            "leave-one-out and once_per statistics need by(group) or by(rollout)",
                        ));
                    }
                }
                Type { level: Some(if *others { from } else { keys }), value }
            }
            Node::Rank { x, by, members, .. } => {
                let kind = check!(x);
                let level = self.elements(&kind, x)?;
                self.expect(&kind, ValueType::Number, x)?;
                passes = passes.max(self.keys(by, &level)?.1);
                passes = passes.max(self.members(members, &level, guarded)?);
                match by.scope {
                    Scope::Batch => {
                        self.reads.insert("rollout_id".into());
                        passes += 1;
                    }
                    Scope::History(_) => {
                        return Err(self.fail(
                            format!("`{expr}` is not defined"),
                            "ranks are by(rollout), by(group) or by(batch)",
                        ));
                    }
                    Scope::Rollout | Scope::Group => {}
                }
                Type { level: Some(level), value: ValueType::Integer }
            }
            Node::Fetch { x, ids, key } => {
                let (kind, ids_type, key_type) = (check!(x), check!(ids), check!(key));
                self.same(&ids_type, &key_type, ids, key)?;
                self.coarser(&kind.level, &self.elements(&ids_type, ids)?, x)?;
                Type { level: Some(self.elements(&key_type, key)?), value: kind.value }
            }
            Node::Send { x, to, position, reduction } => {
                let (kind, to_type) = (check!(x), check!(to));
                self.numeric(*reduction, expr)?;
                self.expect(&kind, ValueType::Number, x)?;
                self.expect(&to_type, ValueType::Text, to)?;
                self.coarser(&kind.level, &ROLLOUT, x)?;
                self.coarser(&to_type.level, &ROLLOUT, to)?;
                self.reads.insert("rollout_id".into());
                if let Some(position) = position {
                    let at = check!(position);
                    self.expect(&at, ValueType::Integer, position)?;
                    self.coarser(&at.level, &ROLLOUT, position)?;
                }
                number(Some(if position.is_some() { TOKEN } else { ROLLOUT }))
            }
        };
        self.levels.extend(kind.level.clone());
        Ok((kind, passes))
    }
}

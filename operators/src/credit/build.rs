//! Building credit expressions: functions and methods that read like the paper's equation.

use std::ops::{Add, Div, Mul, Neg, Sub};

use super::expression::{
    By, Expr, Function, Members, Node, Operator, Position, Reduction, Running, Scope, Statistic, Window,
};
use super::level::Level;

/// A column of the data, or an earlier named signal.
///
/// ```
/// use meed_operators::credit::*;
/// let advantage = signal("reward") - mean(signal("reward"), group());
/// assert_eq!(advantage.to_string(), "reward - mean(reward, by(group))");
/// ```
pub fn signal(name: impl Into<String>) -> Expr {
    Node::Signal { name: name.into() }.into()
}

/// A constant.
pub fn value(value: f64) -> Expr {
    Node::Value { value }.into()
}

/// A constant text, to compare a text signal with.
pub fn text(text: impl Into<String>) -> Expr {
    Node::Text { text: text.into() }.into()
}

/// A constant per item of `level`, such as one discount per value head.
pub fn values(level: impl Into<Level>, values: Vec<f64>) -> Expr {
    Node::Values { level: level.into(), values }.into()
}

/// `x` where the data has all of its columns, else `otherwise`.
pub fn if_present(x: Expr, otherwise: Expr) -> Expr {
    Node::IfPresent { x, otherwise }.into()
}

/// Position of each element of `level` in its rollout, from 0.
pub fn index(level: Level) -> Expr {
    index_within(level, super::level::ROLLOUT)
}

/// Position of each element of `level` in its element of `within`, from 0.
pub fn index_within(level: Level, within: Level) -> Expr {
    Node::Index { level, within }.into()
}

/// Number of elements of `level` in each rollout.
pub fn count(level: Level) -> Expr {
    count_within(level, super::level::ROLLOUT)
}

/// Number of elements of `level` in each element of `within`.
pub fn count_within(level: Level, within: Level) -> Expr {
    Node::Count { level, within }.into()
}

/// True at trainable tokens.
pub fn mask() -> Expr {
    Node::Mask.into()
}

/// True at policy steps, at turns that have one, at rollouts that may enter a baseline.
pub fn policy(level: Level) -> Expr {
    Node::Policy { level }.into()
}

/// True where the step, or a step of the turn, is of one of these kinds.
pub fn kind(level: Level, kinds: &[&str]) -> Expr {
    let kinds = kinds.iter().map(|&kind| kind.to_owned()).collect();
    Node::Kind { level, kinds }.into()
}

/// Training progress: `clamp((iteration - start) / (end - start), 0, 1)`.
pub fn progress(start: f64, end: f64) -> Expr {
    Node::Progress { start, end }.into()
}

/// A draw from `[0, 1)` for each element of `level`, the same however often, where and beside what it is
/// asked: it depends on the seed, the iteration, the group, the rollout and the position.
pub fn random(level: Level, seed: u64) -> Expr {
    Node::Random { level, seed }.into()
}

/// `then` where the condition is true, `otherwise` where it is false, null where it is null.
pub fn when(condition: Expr, then: impl Into<Expr>, otherwise: impl Into<Expr>) -> Expr {
    Node::When { condition, then: then.into(), otherwise: otherwise.into() }.into()
}

/// The default members: trainable tokens, policy steps, rollouts of the baseline.
pub fn trainable() -> Members {
    Members::default()
}

/// Every position.
pub fn all() -> Members {
    Members { all: true, condition: None }
}

impl Members {
    /// Only those where the condition is true.
    pub fn only(mut self, condition: Expr) -> Self {
        self.condition = Some(match self.condition {
            Some(earlier) => earlier.and(condition),
            None => condition,
        });
        self
    }
}

/// Statistics inside one group.
pub fn group() -> By {
    By { scope: Scope::Group, keys: Vec::new() }
}

/// Statistics inside one iteration.
pub fn batch() -> By {
    By { scope: Scope::Batch, keys: Vec::new() }
}

/// Statistics over all iterations up to a rollout's own, that one included.
pub fn history() -> By {
    By { scope: Scope::History(Window { own: true, last: None }), keys: Vec::new() }
}

/// Statistics over the iterations before a rollout's own.
pub fn earlier() -> By {
    By { scope: Scope::History(Window { own: false, last: None }), keys: Vec::new() }
}

/// Statistics inside one rollout.
pub fn rollout() -> By {
    By { scope: Scope::Rollout, keys: Vec::new() }
}

impl By {
    /// Only so many last iterations of a history, by their numbers.
    pub fn last(mut self, iterations: u32) -> Self {
        if let Scope::History(window) = &mut self.scope {
            window.last = Some(iterations);
        }
        self
    }

    /// The same scope, with one more key.
    pub fn and(mut self, key: Expr) -> Self {
        self.keys.push(key);
        self
    }
}

/// A statistic under construction: `aggregate(op, x, by)` with its members and weights.
pub fn aggregate(statistic: Statistic, x: Expr, by: By) -> Expr {
    Node::Aggregate { x, statistic, by, members: trainable(), weights: None, once_per: None, others: false }
        .into()
}

/// Mean of the members with the same key.
pub fn mean(x: Expr, by: By) -> Expr {
    aggregate(Statistic::Mean, x, by)
}

/// Sum of the members with the same key.
pub fn sum(x: Expr, by: By) -> Expr {
    aggregate(Statistic::Sum, x, by)
}

/// Number of members with the same key that have a value.
pub fn members(x: Expr, by: By) -> Expr {
    aggregate(Statistic::Count, x, by)
}

/// Greatest value among the members with the same key.
pub fn maximum(x: Expr, by: By) -> Expr {
    aggregate(Statistic::Max, x, by)
}

/// Least value among the members with the same key.
pub fn minimum(x: Expr, by: By) -> Expr {
    aggregate(Statistic::Min, x, by)
}

/// Standard deviation of the members with the same key; null where `count <= ddof`.
pub fn std(x: Expr, by: By, ddof: u8) -> Expr {
    aggregate(Statistic::Variance { ddof }, x, by).sqrt()
}

/// Rank from 0 among the members with the same key; ties in canonical order.
pub fn rank(x: Expr, by: By, ascending: bool) -> Expr {
    Node::Rank { x, by, ascending, members: trainable() }.into()
}

/// The value of the item of the rollout, or of the rollout of the group, whose id equals `key`.
pub fn fetch(x: Expr, ids: Expr, key: Expr) -> Expr {
    Node::Fetch { x, ids, key }.into()
}

/// A rollout's value given to the rollout of its group whose id is `to`.
pub fn send(x: Expr, to: Expr, position: Option<Expr>, reduction: Reduction) -> Expr {
    Node::Send { x, to, position, reduction }.into()
}

impl Expr {
    fn apply(self, function: Function) -> Expr {
        Node::Apply { function, x: self }.into()
    }

    fn combine(self, operator: Operator, b: impl Into<Expr>) -> Expr {
        Node::Combine { operator, a: self, b: b.into() }.into()
    }

    /// Absolute value.
    pub fn abs(self) -> Expr {
        self.apply(Function::Absolute)
    }
    /// -1, 0 or 1.
    pub fn sign(self) -> Expr {
        self.apply(Function::Sign)
    }
    /// e to the power of the value.
    pub fn exp(self) -> Expr {
        self.apply(Function::Exp)
    }
    /// Natural logarithm.
    pub fn ln(self) -> Expr {
        self.apply(Function::Log)
    }
    /// Square root.
    pub fn sqrt(self) -> Expr {
        self.apply(Function::Sqrt)
    }
    /// Square.
    pub fn square(self) -> Expr {
        self.apply(Function::Square)
    }
    /// Cosine of an angle in radians.
    pub fn cos(self) -> Expr {
        self.apply(Function::Cosine)
    }

    /// Arc tangent, in radians.
    pub fn arctan(self) -> Expr {
        self.apply(Function::Arctangent)
    }

    /// Hyperbolic tangent.
    pub fn tanh(self) -> Expr {
        self.apply(Function::Tanh)
    }
    /// `1 / (1 + exp(-x))`.
    pub fn sigmoid(self) -> Expr {
        self.apply(Function::Sigmoid)
    }
    /// `ln(sigmoid(x))`, without overflow.
    pub fn log_sigmoid(self) -> Expr {
        self.apply(Function::LogSigmoid)
    }
    /// Greatest integer that is not greater.
    pub fn floor(self) -> Expr {
        self.apply(Function::Floor)
    }
    /// Least integer that is not less.
    pub fn ceil(self) -> Expr {
        self.apply(Function::Ceil)
    }
    /// Logical not.
    pub fn negated(self) -> Expr {
        self.apply(Function::Not)
    }
    /// `self` to the power of `exponent`.
    pub fn power(self, exponent: impl Into<Expr>) -> Expr {
        self.combine(Operator::Power, exponent)
    }
    /// The lesser of two values.
    pub fn min(self, other: impl Into<Expr>) -> Expr {
        self.combine(Operator::Minimum, other)
    }
    /// The greater of two values.
    pub fn max(self, other: impl Into<Expr>) -> Expr {
        self.combine(Operator::Maximum, other)
    }
    /// `low` below it, `high` above it.
    pub fn clamp(self, low: f64, high: f64) -> Expr {
        self.max(low).min(high)
    }
    /// True where equal.
    pub fn equals(self, other: impl Into<Expr>) -> Expr {
        self.combine(Operator::Equals, other)
    }
    /// True where not equal.
    pub fn differs(self, other: impl Into<Expr>) -> Expr {
        self.combine(Operator::Differs, other)
    }
    /// True where less.
    pub fn less(self, other: impl Into<Expr>) -> Expr {
        self.combine(Operator::Less, other)
    }
    /// True where less or equal.
    pub fn at_most(self, other: impl Into<Expr>) -> Expr {
        self.combine(Operator::AtMost, other)
    }
    /// True where greater.
    pub fn greater(self, other: impl Into<Expr>) -> Expr {
        self.combine(Operator::Greater, other)
    }
    /// True where greater or equal.
    pub fn at_least(self, other: impl Into<Expr>) -> Expr {
        self.combine(Operator::AtLeast, other)
    }
    /// True where both are true.
    pub fn and(self, other: impl Into<Expr>) -> Expr {
        self.combine(Operator::And, other)
    }
    /// True where one is true.
    pub fn or(self, other: impl Into<Expr>) -> Expr {
        self.combine(Operator::Or, other)
    }

    /// This value, and `otherwise` where it is null.
    pub fn or_else(self, otherwise: impl Into<Expr>) -> Expr {
        Node::OrElse { x: self, otherwise: otherwise.into() }.into()
    }
    /// This value, and null where the condition is true.
    pub fn null_if(self, condition: Expr) -> Expr {
        Node::NullIf { x: self, condition }.into()
    }
    /// True where this value is null.
    pub fn is_null(self) -> Expr {
        Node::IsNull { x: self }.into()
    }

    /// The value `by` members earlier (later if negative); `initial` where there is none, and
    /// null without one.
    pub fn shift(self, by: i64, initial: Option<Expr>) -> Expr {
        Node::Shift { x: self, by, initial, members: trainable() }.into()
    }
    /// Running value over the members of the rollout, the member itself included. Of a pair level such as
    /// `turn.test`, each item has a running value of its own, from turn to turn; so it is for `shift` and `recur`.
    pub fn scan(self, running: Running) -> Expr {
        Node::Scan {
            x: self,
            running,
            backward: false,
            exclusive: false,
            restart: None,
            members: trainable(),
        }
        .into()
    }
    /// The same scan from the end of the rollout.
    pub fn backward(self) -> Expr {
        self.rebuild(|node| {
            if let Node::Scan { backward, .. } = node {
                *backward = true;
            }
        })
    }
    /// The same scan without the position itself.
    pub fn exclusive(self) -> Expr {
        self.rebuild(|node| {
            if let Node::Scan { exclusive, .. } = node {
                *exclusive = true;
            }
        })
    }
    /// The same scan, begun anew at every position where `condition` is true.
    pub fn restarting(self, condition: Expr) -> Expr {
        self.rebuild(move |node| {
            if let Node::Scan { restart, .. } = node {
                *restart = Some(condition);
            }
        })
    }
    /// `y_t = x_t + coefficient_t * y_{t+1}` over the members of the rollout.
    pub fn recur(self, coefficient: impl Into<Expr>) -> Expr {
        Node::Recur { x: self, coefficient: coefficient.into(), forward: false, members: trainable() }.into()
    }
    /// The same recursion in the direction of time, from `y_{t-1}`.
    pub fn forward(self) -> Expr {
        self.rebuild(|node| {
            if let Node::Recur { forward, .. } = node {
                *forward = true;
            }
        })
    }
    /// Fine to coarse over the members; null where there is none.
    pub fn reduce(self, level: Level, reduction: Reduction) -> Expr {
        Node::Reduce { x: self, level, reduction, weights: None, members: trainable(), empty: None }.into()
    }
    /// The same reduction with a value where no member has one.
    pub fn empty(self, value: f64) -> Expr {
        self.rebuild(move |node| {
            if let Node::Reduce { empty, .. } = node {
                *empty = Some(value);
            }
        })
    }
    /// The same reduction, spread or statistic with weights.
    pub fn weighted(self, by: Expr) -> Expr {
        self.rebuild(move |node| match node {
            Node::Reduce { weights, .. } | Node::Aggregate { weights, .. } => *weights = Some(by),
            _ => {}
        })
    }
    /// The same statistic, counting one member (the first in canonical order) per key.
    pub fn once_per(self, key: Expr) -> Expr {
        self.rebuild(move |node| {
            if let Node::Aggregate { once_per, .. } = node {
                *once_per = Some(key);
            }
        })
    }
    /// The same statistic over the other members, without the value itself.
    pub fn of_others(self) -> Expr {
        self.rebuild(|node| {
            if let Node::Aggregate { others, .. } = node {
                *others = true;
            }
        })
    }
    /// The same scan, reduction, spread or statistic over other members.
    pub fn over(self, who: Members) -> Expr {
        self.rebuild(move |node| match node {
            Node::Shift { members, .. }
            | Node::Scan { members, .. }
            | Node::Recur { members, .. }
            | Node::Reduce { members, .. }
            | Node::Spread { members, .. }
            | Node::Aggregate { members, .. }
            | Node::Rank { members, .. } => *members = who,
            _ => {}
        })
    }
    /// Coarse to fine, on every element; or items to a pair level, to each outer element's item of that place.
    ///
    /// ```
    /// use meed_operators::credit::*;
    /// let discounts = values("head", vec![0.9, 0.99]).spread(Level::pair(&STEP, "head"));
    /// assert_eq!(discounts.to_string(), "spread(values(head, [0.9, 0.99]), step.head)");
    /// ```
    pub fn spread(self, level: Level) -> Expr {
        Node::Spread { x: self, level, position: Position::All, members: trainable() }.into()
    }
    /// Coarse to the last member of the finer level; 0 elsewhere.
    pub fn at_last(self, level: Level) -> Expr {
        Node::Spread { x: self, level, position: Position::Last, members: trainable() }.into()
    }
    /// Coarse to the first member of the finer level; 0 elsewhere.
    pub fn at_first(self, level: Level) -> Expr {
        Node::Spread { x: self, level, position: Position::First, members: trainable() }.into()
    }
    /// To the element of `level` whose index in the rollout is `position`.
    pub fn place(self, level: Level, position: Expr, reduction: Reduction) -> Expr {
        Node::Place { x: self, level, position, reduction }.into()
    }

    fn rebuild(self, change: impl FnOnce(&mut Node)) -> Expr {
        let mut node = self.0.as_ref().clone();
        change(&mut node);
        node.into()
    }
}

impl From<f64> for Expr {
    fn from(constant: f64) -> Self {
        value(constant)
    }
}

macro_rules! arithmetic {
    ($($trait:ident $method:ident $operator:ident),*) => {$(
        impl<E: Into<Expr>> $trait<E> for Expr {
            type Output = Expr;
            fn $method(self, other: E) -> Expr {
                self.combine(Operator::$operator, other)
            }
        }
        impl $trait<Expr> for f64 {
            type Output = Expr;
            fn $method(self, other: Expr) -> Expr {
                value(self).combine(Operator::$operator, other)
            }
        }
    )*};
}

arithmetic!(Add add Add, Sub sub Subtract, Mul mul Multiply, Div div Divide);

impl Neg for Expr {
    type Output = Expr;
    fn neg(self) -> Expr {
        self.apply(Function::Negate)
    }
}

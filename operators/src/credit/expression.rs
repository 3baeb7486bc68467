//! Credit expressions: the closed list of primitives of which every method is composed.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::level::Level;

/// A credit expression: an immutable tree that is shared by reference count.
///
/// Built with the functions of [`super::build`] and the methods of this type, checked against a
/// schema, printed by `Display`, serialised as the lineage of every advantage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Expr(pub(super) Arc<Node>);

impl Expr {
    /// The primitive at the root.
    pub fn node(&self) -> &Node {
        &self.0
    }

    pub(super) fn address(&self) -> usize {
        Arc::as_ptr(&self.0) as usize
    }
}

impl From<Node> for Expr {
    fn from(node: Node) -> Self {
        Expr(Arc::new(node))
    }
}

/// Which positions take part in a scan, reduction or statistic.
///
/// By default trainable tokens, policy steps and rollouts of the baseline; `all` counts every
/// position. A condition restricts either further. A null value never takes part.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Members {
    /// Every position, not only the trainable ones.
    pub all: bool,
    /// Only where this is true.
    pub condition: Option<Expr>,
}

/// How far a statistic reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Inside one rollout.
    Rollout,
    /// Inside one group.
    Group,
    /// Inside one iteration.
    Batch,
    /// Over iterations up to a rollout's own.
    History(Window),
}

impl Scope {
    /// True if the statistic needs more than whole groups at once: it is gathered in passes before.
    pub fn is_gathered(self) -> bool {
        matches!(self, Scope::Batch | Scope::History(_))
    }
}

/// The iterations that a statistic over the history counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// True if the rollout's own iteration counts too.
    pub own: bool,
    /// Only so many last iterations, by their numbers; all of them where absent.
    pub last: Option<u32>,
}

/// Which values belong together: a scope, then keys of text or integer type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct By {
    /// Scope of the statistic.
    pub scope: Scope,
    /// Keys inside the scope; a null key takes no part.
    pub keys: Vec<Expr>,
}

/// Elementwise function of one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Function {
    Negate,
    Absolute,
    Sign,
    Exp,
    Log,
    Sqrt,
    Square,
    Tanh,
    Cosine,
    Arctangent,
    Sigmoid,
    LogSigmoid,
    Floor,
    Ceil,
    Not,
}

/// Elementwise operator of two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Power,
    Minimum,
    Maximum,
    Equals,
    Differs,
    Less,
    AtMost,
    Greater,
    AtLeast,
    And,
    Or,
}

/// What a scan accumulates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Running {
    Sum,
    Mean,
    Min,
    Max,
    Count,
}

/// What a reduction or placement does with the values that meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Reduction {
    Sum,
    Mean,
    Min,
    Max,
    First,
    Last,
    Count,
    Any,
    All,
}

/// A statistic over the members with the same key.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Statistic {
    /// Sum.
    Sum,
    /// Number of members with a value.
    Count,
    /// Mean.
    Mean,
    /// Least value.
    Min,
    /// Greatest value.
    Max,
    /// Sum of squared deviations over `count - ddof`; null where that is not positive.
    Variance {
        /// Delta degrees of freedom: 1 sample, 0 population.
        ddof: u8,
    },
    /// Of the subset whose variance is greatest among those of the size that the weights sum up to
    /// (rounded): how many of the largest values are in it. The others are the smallest ones, since
    /// no subset varies more than one of both ends. Of equal variances the fewest.
    UpperPart,
    /// Median; of an even number, the lower of the two middle values.
    MedianLower,
    /// Median; of an even number, the mean of the two middle values.
    Median,
    /// Quantile with linear interpolation, `0..=1`.
    Quantile(f64),
    /// Number of distinct values.
    Distinct,
}

/// Where a coarse value goes in the finer level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Position {
    /// On every element.
    All,
    /// On the first element that takes part; 0 elsewhere.
    First,
    /// On the last element that takes part; 0 elsewhere.
    Last,
}

/// One primitive (design, section 4).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "primitive", rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Node {
    /// 1. A column of the data, or an earlier named signal.
    Signal { name: String },
    /// 1. A constant number.
    Value { value: f64 },
    /// 1. A constant text, to compare keys with.
    Text { text: String },
    /// 1. A constant per item of `level`.
    Values { level: Level, values: Vec<f64> },
    /// 1. `x` where the data has every column of it, else `otherwise`; decided by the schema.
    IfPresent { x: Expr, otherwise: Expr },
    /// 2. Position of each element of `level` in its element of `within`, from 0.
    Index { level: Level, within: Level },
    /// 2. Number of elements of `level` in each element of `within`.
    Count { level: Level, within: Level },
    /// 3. True at trainable tokens.
    Mask,
    /// 3. True at policy steps, turns with one, rollouts of the baseline.
    Policy { level: Level },
    /// 3. True where the step (or a step of the turn) is of one of these kinds.
    Kind { level: Level, kinds: Vec<String> },
    /// 4. `clamp((iteration - start) / (end - start), 0, 1)`.
    Progress { start: f64, end: f64 },
    /// 4. A draw from `[0, 1)` per element: a function of seed, iteration, group, rollout and position.
    Random { level: Level, seed: u64 },
    /// 5. Elementwise function.
    Apply { function: Function, x: Expr },
    /// 5. Elementwise operator; operands meet at the finer level.
    Combine { operator: Operator, a: Expr, b: Expr },
    /// 5. `then` where the condition is true, `otherwise` where it is false.
    When { condition: Expr, then: Expr, otherwise: Expr },
    /// 6. `x`, and `otherwise` where it is null.
    OrElse { x: Expr, otherwise: Expr },
    /// 6. `x`, and null where the condition is true.
    NullIf { x: Expr, condition: Expr },
    /// 6. True where `x` is null.
    IsNull { x: Expr },
    /// 7. The value `by` members earlier (later if negative) in the rollout.
    Shift { x: Expr, by: i64, initial: Option<Expr>, members: Members },
    /// 8. Running value over the members of the rollout.
    Scan {
        x: Expr,
        running: Running,
        backward: bool,
        exclusive: bool,
        restart: Option<Expr>,
        members: Members,
    },
    /// 9. `y_t = x_t + coefficient_t * y_next`; positions left out pass `y` on and get null.
    Recur { x: Expr, coefficient: Expr, forward: bool, members: Members },
    /// 10. Fine to coarse, or drops the inner axis of a pair.
    Reduce {
        x: Expr,
        level: Level,
        reduction: Reduction,
        weights: Option<Expr>,
        members: Members,
        empty: Option<f64>,
    },
    /// 11. Coarse to fine.
    Spread { x: Expr, level: Level, position: Position, members: Members },
    /// 12. Values to the element of `level` with the given index in the rollout.
    Place { x: Expr, level: Level, position: Expr, reduction: Reduction },
    /// 13. A statistic over the members with the same key, given to every value with that key.
    Aggregate {
        x: Expr,
        statistic: Statistic,
        by: By,
        members: Members,
        weights: Option<Expr>,
        once_per: Option<Expr>,
        others: bool,
    },
    /// 14. Rank from 0 among the members with the same key; ties in canonical order.
    Rank { x: Expr, by: By, ascending: bool, members: Members },
    /// 15. The value of the item, or of the rollout of the group, whose id equals `key`.
    Fetch { x: Expr, ids: Expr, key: Expr },
    /// 15. A rollout's value to the rollout of its group with id `to`, optionally at a token.
    Send { x: Expr, to: Expr, position: Option<Expr>, reduction: Reduction },
}

impl Node {
    /// The expressions directly below, in order.
    pub fn children(&self) -> Vec<Expr> {
        let mut children = Vec::new();
        self.clone().each_child(&mut |child| children.push(child.clone()));
        children
    }

    /// The same primitive over other children, given in the order of [`Node::children`].
    pub(super) fn with_children(&self, children: Vec<Expr>) -> Node {
        let mut node = self.clone();
        let mut next = children.into_iter();
        node.each_child(&mut |child| {
            if let Some(replacement) = next.next() {
                *child = replacement;
            }
        });
        node
    }

    fn each_child(&mut self, visit: &mut dyn FnMut(&mut Expr)) {
        let mut members_of: Option<&mut Members> = None;
        match self {
            Node::Signal { .. } | Node::Value { .. } | Node::Text { .. } | Node::Values { .. } => {}
            Node::Index { .. } | Node::Count { .. } | Node::Mask | Node::Policy { .. } => {}
            Node::Kind { .. } | Node::Progress { .. } | Node::Random { .. } => {}
            Node::IfPresent { x, otherwise } | Node::OrElse { x, otherwise } => {
                visit(x);
                visit(otherwise);
            }
            Node::Apply { x, .. } | Node::IsNull { x } => visit(x),
            Node::Combine { a, b, .. } => {
                visit(a);
                visit(b);
            }
            Node::When { condition, then, otherwise } => {
                visit(condition);
                visit(then);
                visit(otherwise);
            }
            Node::NullIf { x, condition } => {
                visit(x);
                visit(condition);
            }
            Node::Shift { x, initial: extra, members, .. }
            | Node::Scan { x, restart: extra, members, .. } => {
                visit(x);
                extra.iter_mut().for_each(&mut *visit);
                members_of = Some(members);
            }
            Node::Recur { x, coefficient, members, .. } => {
                visit(x);
                visit(coefficient);
                members_of = Some(members);
            }
            Node::Reduce { x, weights, members, .. } => {
                visit(x);
                weights.iter_mut().for_each(&mut *visit);
                members_of = Some(members);
            }
            Node::Spread { x, members, .. } => {
                visit(x);
                members_of = Some(members);
            }
            Node::Place { x, position, .. } => {
                visit(x);
                visit(position);
            }
            Node::Aggregate { x, by, members, weights, once_per, .. } => {
                visit(x);
                by.keys.iter_mut().for_each(&mut *visit);
                weights.iter_mut().for_each(&mut *visit);
                once_per.iter_mut().for_each(&mut *visit);
                members_of = Some(members);
            }
            Node::Rank { x, by, members, .. } => {
                visit(x);
                by.keys.iter_mut().for_each(&mut *visit);
                members_of = Some(members);
            }
            Node::Fetch { x, ids, key } => {
                visit(x);
                visit(ids);
                visit(key);
            }
            Node::Send { x, to, position, .. } => {
                visit(x);
                visit(to);
                position.iter_mut().for_each(&mut *visit);
            }
        }
        if let Some(members) = members_of {
            members.condition.iter_mut().for_each(visit);
        }
    }
}

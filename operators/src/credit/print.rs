//! Printing credit expressions as text that reads like the formula.

use std::fmt::{self, Display, Formatter};

use super::expression::{
    By, Expr, Function, Members, Node, Operator, Position, Reduction, Running, Scope, Statistic,
};
use super::level::{Level, ROLLOUT};
use super::parse::is_word;

impl Operator {
    pub(super) fn symbol(self) -> (&'static str, u8) {
        match self {
            Operator::Or => ("or", 1),
            Operator::And => ("and", 2),
            Operator::Equals => ("==", 3),
            Operator::Differs => ("!=", 3),
            Operator::Less => ("<", 3),
            Operator::AtMost => ("<=", 3),
            Operator::Greater => (">", 3),
            Operator::AtLeast => (">=", 3),
            Operator::Add => ("+", 4),
            Operator::Subtract => ("-", 4),
            Operator::Multiply => ("*", 5),
            Operator::Divide => ("/", 5),
            Operator::Power => ("^", 6),
            Operator::Minimum => ("min", 9),
            Operator::Maximum => ("max", 9),
        }
    }

    /// Whether `a + b + c` means `(a + b) + c`; without parentheses, `a < b < c` means nothing.
    pub(super) fn is_chained(self) -> bool {
        !matches!(self.symbol().1, 3 | 6)
    }
}

pub(super) fn function(function: Function) -> &'static str {
    match function {
        Function::Negate => "-",
        Function::Absolute => "abs",
        Function::Sign => "sign",
        Function::Exp => "exp",
        Function::Log => "ln",
        Function::Sqrt => "sqrt",
        Function::Square => "square",
        Function::Tanh => "tanh",
        Function::Cosine => "cos",
        Function::Arctangent => "arctan",
        Function::Sigmoid => "sigmoid",
        Function::LogSigmoid => "log_sigmoid",
        Function::Floor => "floor",
        Function::Ceil => "ceil",
        Function::Not => "not",
    }
}

pub(super) fn running(running: Running) -> &'static str {
    match running {
        Running::Sum => "sum",
        Running::Mean => "mean",
        Running::Min => "min",
        Running::Max => "max",
        Running::Count => "count",
    }
}

pub(super) fn reduction(reduction: Reduction) -> &'static str {
    match reduction {
        Reduction::Sum => "sum",
        Reduction::Mean => "mean",
        Reduction::Min => "min",
        Reduction::Max => "max",
        Reduction::First => "first",
        Reduction::Last => "last",
        Reduction::Count => "count",
        Reduction::Any => "any",
        Reduction::All => "all",
    }
}

impl Display for Statistic {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Statistic::Sum => f.write_str("sum"),
            Statistic::Count => f.write_str("count"),
            Statistic::Mean => f.write_str("mean"),
            Statistic::Min => f.write_str("min"),
            Statistic::Max => f.write_str("max"),
            Statistic::Variance { ddof } => write!(f, "variance[ddof {ddof}]"),
            Statistic::UpperPart => f.write_str("upper_part"),
            Statistic::MedianLower => f.write_str("median_lower"),
            Statistic::Median => f.write_str("median"),
            Statistic::Quantile(q) => write!(f, "quantile[{q}]"),
            Statistic::Distinct => f.write_str("distinct"),
        }
    }
}

impl Display for By {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.scope {
            Scope::Rollout => f.write_str("by(rollout")?,
            Scope::Group => f.write_str("by(group")?,
            Scope::Batch => f.write_str("by(batch")?,
            Scope::History(window) => {
                f.write_str(if window.own { "by(history" } else { "by(earlier" })?;
                if let Some(last) = window.last {
                    write!(f, "[{last}]")?;
                }
            }
        }
        for key in &self.keys {
            write!(f, ", {key}")?;
        }
        f.write_str(")")
    }
}

fn write_members(f: &mut Formatter<'_>, members: &Members) -> fmt::Result {
    if members.all {
        f.write_str(", over all")?;
    }
    if let Some(condition) = &members.condition {
        write!(f, ", where {condition}")?;
    }
    Ok(())
}

fn optional(f: &mut Formatter<'_>, name: &str, x: &Option<Expr>) -> fmt::Result {
    match x {
        Some(x) => write!(f, ", {name} {x}"),
        None => Ok(()),
    }
}

fn write_below(f: &mut Formatter<'_>, x: &Expr, strength: u8) -> fmt::Result {
    let weaker = match x.node() {
        Node::Combine { operator, .. } => operator.symbol().1 < strength,
        Node::Apply { function: Function::Negate, .. } => strength > 5,
        Node::Value { value } => value.is_sign_negative() && strength > 5,
        _ => false,
    };
    if weaker { write!(f, "({x})") } else { write!(f, "{x}") }
}

/// A name as it is, or in backticks where it would read as something else.
pub(super) fn write_name(f: &mut Formatter<'_>, name: &str) -> fmt::Result {
    if is_word(name) {
        return f.write_str(name);
    }
    write!(f, "`{}`", name.escape_debug().to_string().replace('`', "\\`"))
}

/// The name of a level in an expression.
struct In<'a>(&'a Level);

impl Display for In<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let name = self.0.name();
        if name.split('.').all(is_word) { f.write_str(name) } else { write_name(f, name) }
    }
}

fn kind(kind: &str) -> String {
    if is_word(kind) { kind.to_owned() } else { format!("{kind:?}") }
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.node() {
            Node::Signal { name } => write_name(f, name),
            Node::Value { value } => write!(f, "{value}"),
            Node::Text { text } => write!(f, "{text:?}"),
            Node::Values { level, values } => write!(f, "values({}, {values:?})", In(level)),
            Node::IfPresent { x, otherwise } => write!(f, "if_present({x}, {otherwise})"),
            Node::Index { level, within } if *within == ROLLOUT => write!(f, "index({})", In(level)),
            Node::Index { level, within } => write!(f, "index({}, within {})", In(level), In(within)),
            Node::Count { level, within } if *within == ROLLOUT => write!(f, "count({})", In(level)),
            Node::Count { level, within } => write!(f, "count({}, within {})", In(level), In(within)),
            Node::Mask => f.write_str("mask()"),
            Node::Policy { level } => write!(f, "policy({})", In(level)),
            Node::Kind { level, kinds } => {
                let kinds: Vec<String> = kinds.iter().map(|name| kind(name)).collect();
                write!(f, "kind({}, {{{}}})", In(level), kinds.join(", "))
            }
            Node::Progress { start, end } => write!(f, "progress({start}, {end})"),
            Node::Random { level, seed } => write!(f, "random({}, {seed})", In(level)),
            Node::Apply { function: Function::Negate, x } => {
                // `-1` is a number, and `-a * b` is `(-a) * b`.
                f.write_str("-")?;
                if matches!(x.node(), Node::Value { .. }) { write!(f, "({x})") } else { write_below(f, x, 6) }
            }
            Node::Apply { function: name, x } => write!(f, "{}({x})", function(*name)),
            Node::Combine { operator, a, b } => {
                let (symbol, strength) = operator.symbol();
                if strength == 9 {
                    return write!(f, "{symbol}({a}, {b})");
                }
                write_below(f, a, if operator.is_chained() { strength } else { strength + 1 })?;
                write!(f, " {symbol} ")?;
                write_below(f, b, strength + 1)
            }
            Node::When { condition, then, otherwise } => {
                write!(f, "when({condition}, {then}, {otherwise})")
            }
            Node::OrElse { x, otherwise } => write!(f, "or_else({x}, {otherwise})"),
            Node::NullIf { x, condition } => write!(f, "null_if({x}, {condition})"),
            Node::IsNull { x } => write!(f, "is_null({x})"),
            Node::Shift { x, by, initial, members } => {
                write!(f, "shift({x}, {by}")?;
                optional(f, "initial", initial)?;
                write_members(f, members)?;
                f.write_str(")")
            }
            Node::Scan { x, running: what, backward, exclusive, restart, members } => {
                write!(f, "scan({x}, {}", running(*what))?;
                if *backward {
                    f.write_str(", backward")?;
                }
                if *exclusive {
                    f.write_str(", exclusive")?;
                }
                optional(f, "restart", restart)?;
                write_members(f, members)?;
                f.write_str(")")
            }
            Node::Recur { x, coefficient, forward, members } => {
                write!(f, "recur({x}, {coefficient}")?;
                if *forward {
                    f.write_str(", forward")?;
                }
                write_members(f, members)?;
                f.write_str(")")
            }
            Node::Reduce { x, level, reduction: what, weights, members, empty } => {
                write!(f, "reduce({x}, {}, {}", In(level), reduction(*what))?;
                optional(f, "weights", weights)?;
                write_members(f, members)?;
                if let Some(empty) = empty {
                    write!(f, ", empty {empty}")?;
                }
                f.write_str(")")
            }
            Node::Spread { x, level, position, members } => {
                let position = match position {
                    Position::All => "",
                    Position::First => ", first",
                    Position::Last => ", last",
                };
                write!(f, "spread({x}, {}{position}", In(level))?;
                write_members(f, members)?;
                f.write_str(")")
            }
            Node::Place { x, level, position, reduction: what } => {
                write!(f, "place({x}, {}, {position}, {})", In(level), reduction(*what))
            }
            Node::Aggregate { x, statistic, by, members, weights, once_per, others } => {
                write!(f, "{statistic}({x}, {by}")?;
                write_members(f, members)?;
                optional(f, "weights", weights)?;
                optional(f, "once per", once_per)?;
                if *others {
                    f.write_str(", of others")?;
                }
                f.write_str(")")
            }
            Node::Rank { x, by, ascending, members } => {
                let direction = if *ascending { "ascending" } else { "descending" };
                write!(f, "rank({x}, {by}, {direction}")?;
                write_members(f, members)?;
                f.write_str(")")
            }
            Node::Fetch { x, ids, key } => write!(f, "fetch({x}, {ids}, {key})"),
            Node::Send { x, to, position, reduction: what } => {
                write!(f, "send({x}, to {to}")?;
                optional(f, "at token", position)?;
                write!(f, ", {})", reduction(*what))
            }
        }
    }
}

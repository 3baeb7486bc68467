//! A credit program: named expressions, some of which are the outputs.

use serde::{Deserialize, Serialize};

use super::build::mask;
use super::expression::{Expr, Node, Reduction};
use super::level::ROLLOUT;

/// Name of the signal that is the advantage.
pub const ADVANTAGE: &str = "advantage";
/// Name of the signal that holds the returns.
pub const RETURNS: &str = "returns";
/// Name of the signal that holds the loss weights.
pub const WEIGHTS: &str = "weights";
/// Name of the signal with the lower clip offsets.
pub const CLIP_LOW: &str = "clip_low";
/// Name of the signal with the upper clip offsets.
pub const CLIP_HIGH: &str = "clip_high";
/// Name of the signal that says which rollouts enter the statistics.
pub const IN_BASELINE: &str = "in_baseline";

/// Named expressions in order; later ones read earlier ones by name.
///
/// `advantage` is what the program is for; `returns`, `weights`, `clip_low`, `clip_high` and
/// `in_baseline` are outputs too, where they are defined. Any other name is a step on the way that
/// can be kept.
///
/// ```
/// use meed_operators::credit::*;
/// let dr_grpo = Credit::new().advantage(signal("reward") - mean(signal("reward"), group()));
/// assert_eq!(dr_grpo.to_string(), "advantage = reward - mean(reward, by(group))\n");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Credit {
    signals: Vec<Named>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Named {
    name: String,
    is: Expr,
}

impl Credit {
    /// An empty program.
    pub fn new() -> Self {
        Credit::default()
    }

    /// Adds a named signal.
    pub fn define(mut self, name: impl Into<String>, is: Expr) -> Self {
        self.signals.push(Named { name: name.into(), is });
        self
    }

    /// Adds the advantage.
    pub fn advantage(self, is: Expr) -> Self {
        self.define(ADVANTAGE, is)
    }

    /// Adds the returns.
    pub fn returns(self, is: Expr) -> Self {
        self.define(RETURNS, is)
    }

    /// Adds the loss weights; without them the weight is `token_mask`.
    pub fn weights(self, is: Expr) -> Self {
        self.define(WEIGHTS, is)
    }

    /// Says which rollouts enter the statistics, of those that have every signal that is read; by
    /// default those with a trainable token. To be defined first.
    pub fn in_baseline(self, is: Expr) -> Self {
        self.define(IN_BASELINE, is)
    }

    /// Narrows which rollouts enter the statistics, in all of the program: beside what it says so far, or else
    /// the default, they must fulfil this too. A null does not.
    ///
    /// ```
    /// use meed_operators::credit::*;
    /// let known = signal("step_scores").is_null().reduce(ROLLOUT, Reduction::Any).equals(0.0);
    /// let credit = Credit::new().advantage(signal("reward")).only_where(known);
    /// assert!(credit.expressions().next().is_some_and(|(name, _)| name == "in_baseline"));
    /// ```
    pub fn only_where(mut self, is: Expr) -> Self {
        let said = self.signals.iter().position(|named| named.name == IN_BASELINE);
        let before = match said {
            Some(at) => self.signals.remove(at).is,
            None => mask().reduce(ROLLOUT, Reduction::Sum).greater(0.0),
        };
        self.signals.insert(0, Named { name: IN_BASELINE.to_owned(), is: before.and(is) });
        self
    }

    /// The expression of a name.
    pub fn get(&self, name: &str) -> Option<&Expr> {
        self.signals.iter().find(|named| named.name == name).map(|named| &named.is)
    }

    /// Names and expressions in order.
    pub fn expressions(&self) -> impl Iterator<Item = (&str, &Expr)> {
        self.signals.iter().map(|named| (named.name.as_str(), &named.is))
    }

    /// Columns that the program reads: signals that none of its own expressions has defined by then, sorted.
    ///
    /// ```
    /// use meed_operators::credit::*;
    /// let credit = Credit::new().define("centred", signal("reward") - 0.5).advantage(signal("centred"));
    /// assert_eq!(credit.reads(), ["reward"]);
    /// let shaped = Credit::new().define("token_rewards", signal("token_rewards") * 2.0);
    /// assert_eq!(shaped.reads(), ["token_rewards"]);
    /// ```
    pub fn reads(&self) -> Vec<String> {
        fn collect(expr: &Expr, into: &mut Vec<String>) {
            if let Node::Signal { name } = expr.node() {
                into.push(name.clone());
            }
            expr.node().children().iter().for_each(|child| collect(child, into));
        }
        let mut names = Vec::new();
        for (at, named) in self.signals.iter().enumerate() {
            let mut own = Vec::new();
            collect(&named.is, &mut own);
            own.retain(|name| !self.signals[..at].iter().any(|earlier| earlier.name == *name));
            names.extend(own);
        }
        names.sort();
        names.dedup();
        names
    }

    /// The same program reading `signal` wherever it reads the column `input`, which ends where it defines a
    /// signal of that name.
    pub fn renamed(&self, input: &str, signal: &str) -> Credit {
        fn rename(expr: &Expr, input: &str, signal: &str) -> Expr {
            match expr.node() {
                Node::Signal { name } if name == input => super::signal(signal),
                node => {
                    let children = node.children().iter().map(|child| rename(child, input, signal)).collect();
                    node.with_children(children).into()
                }
            }
        }
        let defined = self.signals.iter().position(|named| named.name == input).unwrap_or(self.signals.len());
        let signals = self.signals.iter().enumerate().map(|(at, named)| {
            let is = if at <= defined { rename(&named.is, input, signal) } else { named.is.clone() };
            Named { name: named.name.clone(), is }
        });
        Credit { signals: signals.collect() }
    }

    pub(super) fn try_map<E>(
        &self,
        mut change: impl FnMut(&str, &Expr) -> Result<Expr, E>,
    ) -> Result<Credit, E> {
        let signals = self.signals.iter().map(|named| {
            let is = change(&named.name, &named.is)?;
            Ok(Named { name: named.name.clone(), is })
        });
        Ok(Credit { signals: signals.collect::<Result<_, E>>()? })
    }
}

impl std::fmt::Display for Credit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for named in &self.signals {
            super::print::write_name(f, &named.name)?;
            writeln!(f, " = {}", named.is)?;
        }
        Ok(())
    }
}

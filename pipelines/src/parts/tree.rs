//! Trees over the rollouts of a group, for recipes that credit nodes: where they are, and what is said of them.

use std::sync::Arc;

use meed_operators::Result;
use meed_operators::credit::{
    By, Credit, Expr, Level, ROLLOUT, STEP, group, mean, minimum, rank, signal, value,
};
use meed_operators::signals::{AddSignals, GivenTree, PrefixTree};
use meed_operators::tree::Backup;

use crate::parameters::{Parameter, Parameters, parameter};
use crate::recipe::Plan;

/// Where the tree is.
pub const TREE: &[Parameter] = &[parameter(
    "tree",
    "steps",
    "where the tree is: steps (step_nodes: a search tree, branches that were sampled), or tokens (rollouts of a group that share their first token_ids)",
)];

/// A tree with the value of each node, and the expressions over it. Those of nodes are at the tree's level:
/// one value per step, or per branch of the prefix tree; null outside the tree.
pub struct Tree {
    level: Level,
    node: &'static str,
    prefix: &'static str,
    operator: Arc<dyn AddSignals>,
}

impl Tree {
    /// The tree that the parameter of [`TREE`] means, with a rollout column backed up.
    ///
    /// # Errors
    /// A value of the parameter that is unknown.
    pub fn new(parameters: &Parameters, column: &str, backup: Backup) -> Result<Self> {
        match parameters.text("tree")? {
            "steps" => Ok(Tree::of_steps(column, backup, None)),
            "tokens" => Ok(Tree {
                level: Level::named("branch"),
                node: "branch_nodes",
                prefix: "branch_",
                operator: Arc::new(PrefixTree { value: column.to_owned(), backup }),
            }),
            _ => Err(parameters.unknown("tree", &["steps", "tokens"])),
        }
    }

    /// The tree of `step_nodes`, with a rollout column backed up, and for the softmax backups a step column
    /// of edges.
    pub fn of_steps(column: &str, backup: Backup, edges: Option<&str>) -> Self {
        let edges = edges.map(str::to_owned);
        let operator = Arc::new(GivenTree { value: column.to_owned(), backup, edges });
        Tree { level: STEP, node: "step_nodes", prefix: "step_node_", operator }
    }

    /// The level of its nodes.
    pub fn level(&self) -> Level {
        self.level.clone()
    }

    fn of(&self, name: &str) -> Expr {
        signal(format!("{}{name}", self.prefix))
    }

    /// The id of the node, for `by` and `once_per`.
    pub fn node(&self) -> Expr {
        signal(self.node)
    }

    /// The id of its parent, -1 below the root.
    pub fn parent(&self) -> Expr {
        self.of("parents")
    }

    /// Edges between it and the root: 1 below the root.
    pub fn depth(&self) -> Expr {
        self.of("depths")
    }

    /// Rollouts that pass it.
    pub fn visits(&self) -> Expr {
        self.of("visits")
    }

    /// Number of its children.
    pub fn children(&self) -> Expr {
        self.of("children")
    }

    /// Number of its parent's children, itself among them.
    pub fn siblings(&self) -> Expr {
        self.of("siblings")
    }

    /// Its value.
    pub fn value(&self) -> Expr {
        self.of("values")
    }

    /// The value of its parent; below the root that of the root.
    pub fn parent_value(&self) -> Expr {
        self.of("parent_values")
    }

    /// The value of the root, one per rollout.
    pub fn root_value(&self) -> Expr {
        signal("tree_value")
    }

    /// By node: the occurrences of one node in the rollouts of the group.
    pub fn by_node(&self) -> By {
        group().and(self.node())
    }

    /// By parent: the children of one node. Statistics of nodes want [`Expr::once_per`] with [`Tree::node`].
    pub fn by_parent(&self) -> By {
        group().and(self.parent())
    }

    /// The mean of a rollout's value over the rollouts below each node.
    pub fn mean_below(&self, x: Expr) -> Expr {
        mean(x.spread(self.level()), self.by_node())
    }

    /// True in the first rollout that passes the node, so that it is trained on once.
    pub fn first(&self) -> Expr {
        let place = rank(value(1.0).spread(ROLLOUT), group(), true).spread(self.level());
        place.clone().equals(minimum(place, self.by_node()))
    }

    /// The plan of a credit program that reads the tree.
    pub fn plan(self, credit: Credit) -> Plan {
        Plan { operators: vec![self.operator], ..credit.into() }
    }
}

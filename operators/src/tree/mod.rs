//! Trees over the rollouts of a group: where they part, and what is worth what.

mod backup;
mod given;
mod prefix;
mod rows;
mod search;

pub use backup::Backup;
pub use given::OtherParent;
pub use prefix::TokenTree;
pub use rows::{edge_rows, node_rows, tables_of};
pub use search::{backed_up, puct};

/// A tree whose paths are rollouts. Node 0 is the root, which every rollout passes; a parent comes before
/// its children, and nodes are in the order in which the rollouts, one after another, first pass them
/// unless a constructor says otherwise.
///
/// Its size is the number of nodes and rollouts: paths are walked, not stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    parents: Vec<usize>,
    depths: Vec<usize>,
    visits: Vec<usize>,
    children: Vec<usize>,
    ends: Vec<Option<usize>>,
}

/// The node that all rollouts pass.
pub const ROOT: usize = 0;

impl Tree {
    /// A root, and so many rollouts that are not in the tree yet.
    fn new(rollouts: usize) -> Self {
        Tree {
            parents: vec![ROOT],
            depths: vec![0],
            visits: vec![0],
            children: vec![0],
            ends: vec![None; rollouts],
        }
    }

    fn add(&mut self, parent: usize) -> usize {
        self.parents.push(parent);
        self.depths.push(self.depths[parent] + 1);
        self.visits.push(0);
        self.children.push(0);
        self.children[parent] += 1;
        self.parents.len() - 1
    }

    /// Number of nodes, with the root.
    pub fn nodes(&self) -> usize {
        self.parents.len()
    }

    /// Number of rollouts, also those that are not in the tree.
    pub fn rollouts(&self) -> usize {
        self.ends.len()
    }

    /// The parent of a node; `None` for the root.
    pub fn parent(&self, node: usize) -> Option<usize> {
        (node != ROOT).then(|| self.parents[node])
    }

    /// Edges between a node and the root.
    pub fn depth(&self, node: usize) -> usize {
        self.depths[node]
    }

    /// Rollouts that pass a node or end there.
    pub fn visits(&self, node: usize) -> usize {
        self.visits[node]
    }

    /// Children of a node.
    pub fn children(&self, node: usize) -> usize {
        self.children[node]
    }

    /// Nodes with more than one child.
    pub fn forks(&self) -> usize {
        self.children.iter().filter(|&&children| children > 1).count()
    }

    /// The node where a rollout ends; `None` for one that is not in the tree.
    pub fn end(&self, rollout: usize) -> Option<usize> {
        self.ends[rollout]
    }

    /// The nodes from where a rollout ends up to the root, which comes last.
    pub fn upward(&self, rollout: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(self.ends[rollout], |&node| self.parent(node))
    }

    /// The nodes that a rollout passes below the root, from top to bottom.
    pub fn path(&self, rollout: usize) -> Vec<usize> {
        let mut path: Vec<usize> = self.upward(rollout).filter(|&node| node != ROOT).collect();
        path.reverse();
        path
    }
}

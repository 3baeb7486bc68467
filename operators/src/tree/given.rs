//! A tree that is given by the ids of the nodes along each rollout.

use std::collections::HashMap;

use super::{ROOT, Tree};

/// A node that is below one parent in one rollout and below another in a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OtherParent {
    /// The later rollout.
    pub rollout: usize,
    /// The id of the node.
    pub id: i64,
}

impl Tree {
    /// The tree of paths of node ids from top to bottom, with the id of every node but the root; `None` is
    /// a rollout that is not in it. The same id twice in a row is one node.
    ///
    /// ```
    /// use meed_operators::tree::Tree;
    /// let (tree, ids) = Tree::of_paths(&[Some(vec![7, 3]), Some(vec![7, 7, 4]), Some(vec![9]), None]).unwrap();
    /// assert_eq!((ids, tree.path(1)), (vec![7, 3, 4, 9], vec![1, 3]));
    /// assert_eq!((tree.visits(1), tree.children(0), tree.depth(2)), (2, 2, 2));
    /// assert_eq!(Tree::of_paths(&[Some(vec![7, 3]), Some(vec![3])]).unwrap_err().id, 3);
    /// ```
    ///
    /// # Errors
    /// A node with two parents.
    pub fn of_paths(paths: &[Option<Vec<i64>>]) -> Result<(Tree, Vec<i64>), OtherParent> {
        let mut tree = Tree::new(paths.len());
        let (mut ids, mut known) = (Vec::new(), HashMap::new());
        for (rollout, path) in paths.iter().enumerate() {
            let Some(path) = path else { continue };
            let (mut at, mut last) = (ROOT, None);
            tree.visits[ROOT] += 1;
            for &id in path.iter().filter(|&&id| last.replace(id) != Some(id)) {
                let parent = at;
                at = *known.entry(id).or_insert_with(|| {
                    ids.push(id);
                    tree.add(parent)
                });
                if tree.parents[at] != parent {
                    return Err(OtherParent { rollout, id });
                }
                tree.visits[at] += 1;
            }
            tree.ends[rollout] = Some(at);
        }
        Ok((tree, ids))
    }
}

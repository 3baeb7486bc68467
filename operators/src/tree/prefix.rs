//! The prefix tree of token sequences, with one node per run of tokens that the same rollouts share.

use std::collections::HashMap;

use super::{ROOT, Tree};

/// A prefix tree whose edges are compressed: a node is a run of tokens that the same rollouts pass.
///
/// A rollout that ends leaves the set of those that go on, so that the others branch there too: a node has
/// rollouts that end in it, or several children, or both. There are at most as many nodes as twice the
/// number of rollouts; nothing is stored per token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenTree {
    tree: Tree,
    ends: Vec<usize>,
}

impl TokenTree {
    /// The tree of sequences, in order; `None` is a rollout that is not in it. Nodes are numbered depth
    /// first, siblings by the first rollout that passes them. Takes time linear in the tokens.
    ///
    /// ```
    /// use meed_operators::tree::TokenTree;
    /// let (a, b, c) = ([5, 7, 9, 2], [5, 7, 8], [4, 3, 2]);
    /// let tokens = TokenTree::new(&[Some(&a), Some(&b), Some(&c), None]);
    /// let tree = tokens.tree();
    /// assert_eq!((tree.nodes(), tree.forks(), tokens.tokens()), (5, 2, 8));
    /// assert_eq!((tree.path(0), tree.path(2)), (vec![1, 2], vec![4]));
    /// assert_eq!((tokens.span(1), tokens.span(2), tree.visits(1)), ((0, 2), (2, 4), 2));
    /// assert_eq!(tree.end(3), None);
    /// ```
    pub fn new(sequences: &[Option<&[i32]>]) -> Self {
        let mut tree = Tree::new(sequences.len());
        let mut ends = vec![0];
        let known: Vec<usize> = (0..sequences.len()).filter(|&row| sequences[row].is_some()).collect();
        let sequence = |row: usize| sequences[row].unwrap_or_default();
        tree.visits[ROOT] = known.len();
        let mut open: Vec<(usize, Vec<usize>)> = Vec::new();
        split(&mut tree, ROOT, 0, known, &sequence, &mut open);
        while let Some((parent, rows)) = open.pop() {
            let node = tree.add(parent);
            tree.visits[node] = rows.len();
            let end = shared_end(&rows, ends[parent], &sequence);
            ends.push(end);
            split(&mut tree, node, end, rows, &sequence, &mut open);
        }
        TokenTree { tree, ends }
    }

    /// The tree.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Offsets of a node's tokens in every rollout that passes it: its first, and the one after its last.
    pub fn span(&self, node: usize) -> (usize, usize) {
        (self.tree.parent(node).map_or(0, |parent| self.ends[parent]), self.ends[node])
    }

    /// Tokens of all rollouts, those that several share counted once.
    pub fn tokens(&self) -> usize {
        let length = |node| {
            let (start, end) = self.span(node);
            end - start
        };
        (0..self.tree.nodes()).map(length).sum()
    }
}

/// Rollouts that go on after `at`, by their token there: sets to be made nodes, the first on top. Those that
/// do not end in the node.
fn split<'a>(
    tree: &mut Tree,
    node: usize,
    at: usize,
    rows: Vec<usize>,
    sequence: &impl Fn(usize) -> &'a [i32],
    open: &mut Vec<(usize, Vec<usize>)>,
) {
    let mut sets: Vec<Vec<usize>> = Vec::new();
    let mut known: HashMap<i32, usize> = HashMap::new();
    for row in rows {
        match sequence(row).get(at) {
            None => tree.ends[row] = Some(node),
            Some(&token) => {
                let set = *known.entry(token).or_insert(sets.len());
                match sets.get_mut(set) {
                    Some(rows) => rows.push(row),
                    None => sets.push(vec![row]),
                }
            }
        }
    }
    open.extend(sets.into_iter().rev().map(|rows| (node, rows)));
}

/// Where rollouts that share the token at `start` first part or end.
fn shared_end<'a>(rows: &[usize], start: usize, sequence: &impl Fn(usize) -> &'a [i32]) -> usize {
    let Some((&first, others)) = rows.split_first() else {
        return start;
    };
    let lead = sequence(first);
    others.iter().fold(lead.len(), |end, &row| {
        let other = sequence(row);
        let end = end.min(other.len());
        start + lead[start..end].iter().zip(&other[start..end]).take_while(|(a, b)| a == b).count()
    })
}

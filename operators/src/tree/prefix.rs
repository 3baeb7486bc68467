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
        let known: Vec<Alike> = (0..sequences.len())
            .filter(|&row| sequences[row].is_some())
            .map(|row| Alike { row, until: 0 })
            .collect();
        let sequence = |row: usize| sequences[row].unwrap_or_default();
        tree.visits[ROOT] = known.len();
        let mut open: Vec<(usize, Vec<Alike>)> = Vec::new();
        split(&mut tree, ROOT, 0, known, &sequence, &mut open);
        while let Some((parent, rows)) = open.pop() {
            let node = tree.add(parent);
            tree.visits[node] = rows.len();
            let end = rows.iter().map(|alike| alike.until).min().unwrap_or(ends[parent]);
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

/// A rollout in a set, and the offset up to which it has the tokens of the first of the set.
#[derive(Clone, Copy)]
struct Alike {
    row: usize,
    until: usize,
}

/// Rollouts that go on after `at`, by their token there: sets to be made nodes, the first on top. Those that
/// do not end in the node. A rollout is compared again only where it has parted from the first of its set, and from
/// there on, so that each of its tokens is compared once.
fn split<'a>(
    tree: &mut Tree,
    node: usize,
    at: usize,
    rows: Vec<Alike>,
    sequence: &impl Fn(usize) -> &'a [i32],
    open: &mut Vec<(usize, Vec<Alike>)>,
) {
    let mut sets: Vec<Vec<Alike>> = Vec::new();
    let mut known: HashMap<i32, usize> = HashMap::new();
    for alike in rows {
        match sequence(alike.row).get(at) {
            None => tree.ends[alike.row] = Some(node),
            Some(&token) => {
                let set = *known.entry(token).or_insert(sets.len());
                match sets.get_mut(set) {
                    Some(rows) => rows.push(alike),
                    None => sets.push(vec![alike]),
                }
            }
        }
    }
    for set in &mut sets {
        let first = sequence(set[0].row);
        for alike in set.iter_mut().filter(|alike| alike.until <= at) {
            let own = sequence(alike.row);
            alike.until = at + first[at..].iter().zip(&own[at..]).take_while(|(a, b)| a == b).count();
        }
    }
    open.extend(sets.into_iter().rev().map(|rows| (node, rows)));
}

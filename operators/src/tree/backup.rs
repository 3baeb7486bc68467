//! Backups: values of nodes from those of the rollouts below them.

use super::{ROOT, Tree};

/// How the values of rollouts become values of the nodes above them. A distance is the number of edges
/// between a node and the one where a rollout ends; a null value takes no part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Backup {
    /// Mean over the rollouts that pass the node.
    Leaves,
    /// Mean over its children, each worth as much, and over the rollouts that end in it.
    Children,
    /// The largest of the rollouts that pass it.
    Max,
    /// Mean over the rollouts that pass it, each times `gamma` to the power of its distance.
    Discounted {
        /// The factor per edge.
        gamma: f64,
    },
    /// Mean over the rollouts that pass it, weighted by `decay` to the power of their distance.
    Decayed {
        /// The factor per edge.
        decay: f64,
    },
    /// Mean over the rollouts that pass it, weighted by the softmax of `scale` times the sum of the edges
    /// between node and end. With log-probabilities as edges and a scale of 1 the weights are the
    /// probabilities of the paths.
    SoftmaxLeaves {
        /// What edges are multiplied by.
        scale: f64,
    },
    /// Mean over its children, weighted by the softmax of `scale` times their edges; rollouts that end in it
    /// have an edge of 0.
    SoftmaxChildren {
        /// What edges are multiplied by.
        scale: f64,
    },
}

impl Tree {
    /// The value of every node, the root first, from a value per rollout; null where no rollout below has
    /// one, or all that have weigh nothing. `edges` has a number for each node, that of the edge from its parent, and only the softmax
    /// backups read it; without them all edges are 0.
    ///
    /// Sums are in the order of the rollouts, about the first value of each node, so that equal values have
    /// exactly that mean.
    ///
    /// ```
    /// use meed_operators::tree::{Backup, Tree};
    /// let paths = [vec![0, 2], vec![0, 3], vec![0, 4], vec![1]].map(Some);
    /// let (tree, _) = Tree::of_paths(&paths).unwrap();
    /// let values = [Some(1.0), Some(1.0), Some(1.0), Some(0.0)];
    /// let root = |backup| tree.back_up(&values, None, backup)[0].unwrap();
    /// assert_eq!((root(Backup::Leaves), root(Backup::Children)), (0.75, 0.5));
    /// assert_eq!((root(Backup::Max), root(Backup::Discounted { gamma: 0.5 })), (1.0, 0.1875));
    /// ```
    pub fn back_up(&self, values: &[Option<f64>], edges: Option<&[f64]>, backup: Backup) -> Vec<Option<f64>> {
        let edge = |node: usize| edges.map_or(0.0, |edges| edges[node]);
        match backup {
            Backup::Leaves => self.over_leaves(values, |_, _| (1.0, 1.0)),
            Backup::Max => {
                let mut most: Vec<Option<f64>> = vec![None; self.nodes()];
                for (rollout, value) in values.iter().enumerate() {
                    let Some(value) = *value else { continue };
                    for node in self.upward(rollout) {
                        most[node] = Some(most[node].map_or(value, |other| other.max(value)));
                    }
                }
                most
            }
            Backup::Discounted { gamma } => {
                self.over_leaves(values, |node, end| (1.0, gamma.powi(self.distance(node, end))))
            }
            Backup::Decayed { decay } => {
                self.over_leaves(values, |node, end| (decay.powi(self.distance(node, end)), 1.0))
            }
            Backup::SoftmaxLeaves { scale } => {
                let sums = self.sums(edge);
                let sum = |node: usize, end: usize| scale * (sums[end] - sums[node]);
                let mut most = vec![f64::NEG_INFINITY; self.nodes()];
                for rollout in (0..self.rollouts()).filter(|&rollout| values[rollout].is_some()) {
                    let Some(end) = self.end(rollout) else { continue };
                    for node in self.upward(rollout) {
                        most[node] = most[node].max(sum(node, end));
                    }
                }
                self.over_leaves(values, |node, end| ((sum(node, end) - most[node]).exp(), 1.0))
            }
            Backup::Children => self.over_children(values, |_| 0.0),
            Backup::SoftmaxChildren { scale } => self.over_children(values, |node| scale * edge(node)),
        }
    }

    fn distance(&self, node: usize, end: usize) -> i32 {
        (self.depths[end] - self.depths[node]) as i32
    }

    /// The sum of edges from the root to each node.
    fn sums(&self, edge: impl Fn(usize) -> f64) -> Vec<f64> {
        let mut sums = vec![0.0; self.nodes()];
        for node in ROOT + 1..self.nodes() {
            sums[node] = sums[self.parents[node]] + edge(node);
        }
        sums
    }

    /// A weighted mean at every node of the values of the rollouts that pass it; for a node and an end below
    /// it, `share` says the weight and what the value is multiplied by.
    fn over_leaves(
        &self,
        values: &[Option<f64>],
        share: impl Fn(usize, usize) -> (f64, f64),
    ) -> Vec<Option<f64>> {
        let mut means = vec![Mean::default(); self.nodes()];
        for (rollout, value) in values.iter().enumerate() {
            let (Some(value), Some(end)) = (*value, self.end(rollout)) else { continue };
            for node in self.upward(rollout) {
                let (weight, factor) = share(node, end);
                means[node].add(factor * value, weight);
            }
        }
        means.into_iter().map(Mean::value).collect()
    }

    /// A mean at every node over its children and the rollouts that end in it, weighted by the softmax of
    /// `score`, 0 for the latter.
    fn over_children(&self, values: &[Option<f64>], score: impl Fn(usize) -> f64) -> Vec<Option<f64>> {
        let mut ended: Vec<Vec<f64>> = vec![Vec::new(); self.nodes()];
        for (rollout, value) in values.iter().enumerate() {
            if let (Some(value), Some(end)) = (*value, self.end(rollout)) {
                ended[end].push(value);
            }
        }
        // The last child comes first, since children come after their parents.
        let mut children: Vec<Vec<(f64, f64)>> = vec![Vec::new(); self.nodes()];
        let mut backed_up = vec![None; self.nodes()];
        for node in (0..self.nodes()).rev() {
            let ended = ended[node].iter().map(|&value| (0.0, value));
            let parts: Vec<(f64, f64)> = ended.chain(children[node].drain(..).rev()).collect();
            let most = parts.iter().map(|part| part.0).fold(f64::NEG_INFINITY, f64::max);
            let mut mean = Mean::default();
            for (score, value) in parts {
                mean.add(value, (score - most).exp());
            }
            backed_up[node] = mean.value();
            if let (Some(value), Some(parent)) = (backed_up[node], self.parent(node)) {
                children[parent].push((score(node), value));
            }
        }
        backed_up
    }
}

/// A weighted mean, summed about its first value.
#[derive(Debug, Clone, Copy, Default)]
struct Mean {
    first: Option<f64>,
    sum: f64,
    weight: f64,
}

impl Mean {
    fn add(&mut self, value: f64, weight: f64) {
        let first = *self.first.get_or_insert(value);
        self.sum += weight * (value - first);
        self.weight += weight;
    }

    fn value(self) -> Option<f64> {
        self.first.filter(|_| self.weight > 0.0).map(|first| first + self.sum / self.weight)
    }
}

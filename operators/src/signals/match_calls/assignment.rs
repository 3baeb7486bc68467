//! Which prediction is held against which gold element: greedily, optimally, or in shares.

use pathfinding::kuhn_munkres::kuhn_munkres;
use pathfinding::matrix::Matrix;

/// How predictions are assigned to gold elements by their similarity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Assignment {
    /// The most similar pair first, each element once; of equally similar ones the first prediction, then the
    /// first gold element.
    Greedy,
    /// One to one, with the greatest sum of similarities. They are compared to twelve decimals.
    Optimal,
    /// In shares: optimal transport between uniform weights with an entropy of this weight.
    Transport {
        /// Weight of the entropy, at least [`LEAST_REGULARISATION`].
        regularisation: f64,
    },
}

/// Below this weight of the entropy, Sinkhorn's scaling leaves the range of numbers.
pub const LEAST_REGULARISATION: f64 = 0.01;

/// Similarities as whole numbers, which have no rounding errors to break ties.
const DECIMALS: f64 = 1e12;

impl Assignment {
    /// What each prediction earns: its similarity to the gold element that it is assigned, or in shares their
    /// sum; `unmatched` for a prediction that is assigned none, or one unlike it. `similarity` has one row
    /// per prediction.
    ///
    /// ```
    /// use meed_operators::signals::Assignment;
    /// let similarity = [vec![0.9, 0.8], vec![0.8, 0.1]];
    /// assert_eq!(Assignment::Greedy.rewards(&similarity, 0.0), [0.9, 0.1]);
    /// assert_eq!(Assignment::Optimal.rewards(&similarity, 0.0), [0.8, 0.8]);
    /// let shares = Assignment::Transport { regularisation: 0.1 }.rewards(&similarity, 0.0);
    /// assert!((shares[0] - 0.402371).abs() < 1e-6 && (shares[1] - 0.383401).abs() < 1e-6);
    /// ```
    pub fn rewards(&self, similarity: &[Vec<f64>], unmatched: f64) -> Vec<f64> {
        if similarity.iter().all(Vec::is_empty) {
            return vec![unmatched; similarity.len()];
        }
        let pairs = match *self {
            Assignment::Greedy => greedy(similarity),
            Assignment::Optimal => optimal(similarity),
            Assignment::Transport { regularisation } => {
                let share = |(shares, of): (Vec<f64>, &Vec<f64>)| {
                    shares.iter().zip(of).map(|(share, similarity)| share * similarity).sum()
                };
                return transport(similarity, regularisation)
                    .into_iter()
                    .zip(similarity)
                    .map(share)
                    .collect();
            }
        };
        let mut rewards = vec![unmatched; similarity.len()];
        for (prediction, gold) in pairs {
            let earned = similarity[prediction][gold];
            if earned > 0.0 {
                rewards[prediction] = earned;
            }
        }
        rewards
    }
}

fn greedy(similarity: &[Vec<f64>]) -> Vec<(usize, usize)> {
    let golds = similarity.first().map_or(0, Vec::len);
    let mut pairs: Vec<(usize, usize)> =
        (0..similarity.len()).flat_map(|prediction| (0..golds).map(move |gold| (prediction, gold))).collect();
    pairs.sort_by(|a, b| similarity[b.0][b.1].total_cmp(&similarity[a.0][a.1]));
    let (mut predicted, mut wanted) = (vec![false; similarity.len()], vec![false; golds]);
    pairs.retain(|&(prediction, gold)| {
        let free = !predicted[prediction] && !wanted[gold];
        if free {
            (predicted[prediction], wanted[gold]) = (true, true);
        }
        free
    });
    pairs
}

fn optimal(similarity: &[Vec<f64>]) -> Vec<(usize, usize)> {
    let (rows, columns) = (similarity.len(), similarity.first().map_or(0, Vec::len));
    let scaled = |prediction: usize, gold: usize| (similarity[prediction][gold] * DECIMALS).round() as i64;
    // The library assigns every row of a matrix that is no higher than wide.
    if rows <= columns {
        let (_, golds) = kuhn_munkres(&Matrix::from_fn(rows, columns, |(row, column)| scaled(row, column)));
        golds.into_iter().enumerate().collect()
    } else {
        let (_, predictions) =
            kuhn_munkres(&Matrix::from_fn(columns, rows, |(row, column)| scaled(column, row)));
        predictions.into_iter().enumerate().map(|(gold, prediction)| (prediction, gold)).collect()
    }
}

/// Sinkhorn's iteration: rows and columns of `exp(similarity / regularisation)` are scaled in turn to uniform
/// sums, until the columns' sums, looked at in every tenth round, are within 1e-9 of theirs (in the Euclidean
/// norm), or for 1000 rounds.
fn transport(similarity: &[Vec<f64>], regularisation: f64) -> Vec<Vec<f64>> {
    let (rows, columns) = (similarity.len(), similarity.first().map_or(0, Vec::len));
    let (of_row, of_column) = (1.0 / rows as f64, 1.0 / columns as f64);
    let kernel: Vec<Vec<f64>> =
        similarity.iter().map(|row| row.iter().map(|s| (s / regularisation).exp()).collect()).collect();
    let (mut u, mut v) = (vec![of_row; rows], vec![of_column; columns]);
    let column_sum = |u: &[f64], j: usize| kernel.iter().zip(u).map(|(row, u)| row[j] * u).sum::<f64>();
    for round in 0..1000 {
        for (j, v) in v.iter_mut().enumerate() {
            *v = of_column / column_sum(&u, j);
        }
        for (u, row) in u.iter_mut().zip(&kernel) {
            *u = of_row / row.iter().zip(&v).map(|(k, v)| k * v).sum::<f64>();
        }
        if round % 10 == 0 {
            let off = (0..columns).map(|j| (column_sum(&u, j) * v[j] - of_column).powi(2)).sum::<f64>();
            if off.sqrt() < 1e-9 {
                break;
            }
        }
    }
    let scaled = |(row, u): (&Vec<f64>, &f64)| row.iter().zip(&v).map(|(k, v)| u * k * v).collect();
    kernel.iter().zip(&u).map(scaled).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ties_go_to_the_first() {
        let similarity = [vec![0.5, 0.5], vec![0.5, 1.0], vec![0.5, 1.0]];
        assert_eq!(greedy(&similarity), [(1, 1), (0, 0)]);
        assert_eq!(Assignment::Greedy.rewards(&similarity, -0.5), [0.5, 1.0, -0.5]);
    }

    #[test]
    fn nothing_to_match_is_unmatched() {
        for assignment in
            [Assignment::Greedy, Assignment::Optimal, Assignment::Transport { regularisation: 0.1 }]
        {
            assert_eq!(assignment.rewards(&[vec![], vec![]], -0.5), [-0.5, -0.5]);
            assert_eq!(assignment.rewards(&[], -0.5), [0.0; 0]);
        }
        assert_eq!(Assignment::Optimal.rewards(&[vec![0.0, 0.0]], -0.5), [-0.5]);
    }

    /// The greatest sum over all one-to-one assignments.
    fn best(similarity: &[Vec<f64>], used: &mut Vec<bool>) -> f64 {
        let Some((first, rest)) = similarity.split_first() else {
            return 0.0;
        };
        let mut greatest = best(rest, used);
        for gold in 0..used.len() {
            if !used[gold] {
                used[gold] = true;
                greatest = greatest.max(first[gold] + best(rest, used));
                used[gold] = false;
            }
        }
        greatest
    }

    proptest! {
        #[test]
        fn optimal_is_the_best_of_all(
            (golds, cells) in (1usize..5).prop_flat_map(|golds| {
                (Just(golds), prop::collection::vec(prop::collection::vec(0u8..5, golds), 1..5))
            })
        ) {
            let similarity: Vec<Vec<f64>> =
                cells.iter().map(|row| row.iter().map(|&x| f64::from(x) / 4.0).collect()).collect();
            let total: f64 = Assignment::Optimal.rewards(&similarity, 0.0).iter().sum();
            prop_assert!((total - best(&similarity, &mut vec![false; golds])).abs() < 1e-9);
            let greedily: f64 = Assignment::Greedy.rewards(&similarity, 0.0).iter().sum();
            prop_assert!(greedily <= total + 1e-9);
            // Every share is part of uniform weights, so what is earned is at most the mean of the best.
            let shares: Vec<f64> = transport(&similarity, 0.1).concat();
            prop_assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-7);
        }
    }
}

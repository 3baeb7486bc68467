//! Trees against naive ones: a trie with a node per token, backups by recursion, a graph by comparing steps.

use std::collections::{BTreeMap, BTreeSet};

use meed_operators::tree::{Backup, TokenTree, Tree};
use proptest::prelude::*;

use crate::generator::Random;

/// Sequences that share beginnings; some are not known.
fn sequences(seed: u64) -> Vec<Option<Vec<i32>>> {
    let random = &mut Random::new(seed);
    let mut all: Vec<Vec<i32>> = Vec::new();
    for _ in 0..1 + random.below(9) {
        let mut tokens = match all.last() {
            Some(_) if random.chance(70) => {
                let other = &all[random.below(all.len())];
                other[..random.below(other.len() + 1)].to_vec()
            }
            _ => Vec::new(),
        };
        tokens.extend((0..random.below(7)).map(|_| random.below(3) as i32));
        all.push(tokens);
    }
    all.into_iter().map(|tokens| (!random.chance(10)).then_some(tokens)).collect()
}

/// For each prefix of a sequence: the rollouts that begin with it.
fn trie(sequences: &[Option<Vec<i32>>]) -> BTreeMap<&[i32], BTreeSet<usize>> {
    let mut trie: BTreeMap<&[i32], BTreeSet<usize>> = BTreeMap::new();
    for (rollout, tokens) in sequences.iter().enumerate() {
        for tokens in tokens {
            for length in 0..=tokens.len() {
                trie.entry(&tokens[..length]).or_default().insert(rollout);
            }
        }
    }
    trie
}

fn of(sequences: &[Option<Vec<i32>>]) -> TokenTree {
    let slices: Vec<Option<&[i32]>> = sequences.iter().map(Option::as_deref).collect();
    TokenTree::new(&slices)
}

/// A tree of random shape, values and edges, as paths of ids.
fn given(seed: u64) -> (Vec<Option<Vec<i64>>>, Vec<Option<f64>>) {
    let random = &mut Random::new(seed);
    let rollouts = 1 + random.below(8);
    let path = |random: &mut Random| {
        let mut node = 0;
        let mut path = Vec::new();
        for _ in 0..random.below(5) {
            node = 3 * node + 1 + random.below(3) as i64;
            path.push(node);
        }
        path
    };
    let paths = (0..rollouts).map(|_| (!random.chance(10)).then(|| path(random))).collect();
    (paths, (0..rollouts).map(|_| (!random.chance(20)).then(|| random.number())).collect())
}

/// The value of the node with this path, by recursion over the paths below it.
fn naive(
    at: &[i64],
    paths: &[Option<Vec<i64>>],
    values: &[Option<f64>],
    edge: &dyn Fn(i64) -> f64,
    backup: Backup,
) -> Option<f64> {
    let below: Vec<(&Vec<i64>, f64)> = paths
        .iter()
        .zip(values)
        .filter_map(|(path, value)| Some((path.as_ref()?, (*value)?)))
        .filter(|(path, _)| path.starts_with(at))
        .collect();
    let distance = |path: &Vec<i64>| (path.len() - at.len()) as i32;
    let weighted = |parts: Vec<(f64, f64)>| {
        let weight: f64 = parts.iter().map(|part| part.0).sum();
        (weight > 0.0).then(|| parts.iter().map(|(weight, value)| weight * value).sum::<f64>() / weight)
    };
    let children = |scale: f64| {
        let ids: BTreeSet<i64> = below.iter().filter_map(|(path, _)| path.get(at.len()).copied()).collect();
        let ended = below.iter().filter(|(path, _)| path.len() == at.len()).map(|(_, value)| (1.0, *value));
        let children = ids.into_iter().filter_map(|id| {
            let path: Vec<i64> = at.iter().copied().chain([id]).collect();
            Some(((scale * edge(id)).exp(), naive(&path, paths, values, edge, backup)?))
        });
        weighted(ended.chain(children).collect())
    };
    match backup {
        Backup::Leaves => weighted(below.iter().map(|(_, value)| (1.0, *value)).collect()),
        Backup::Max => below.iter().map(|(_, value)| *value).reduce(f64::max),
        Backup::Discounted { gamma } => {
            weighted(below.iter().map(|(path, value)| (1.0, gamma.powi(distance(path)) * value)).collect())
        }
        Backup::Decayed { decay } => {
            weighted(below.iter().map(|(path, value)| (decay.powi(distance(path)), *value)).collect())
        }
        Backup::SoftmaxLeaves { scale } => weighted(
            below
                .iter()
                .map(|(path, value)| {
                    let sum: f64 = path[at.len()..].iter().map(|&id| edge(id)).sum();
                    ((scale * sum).exp(), *value)
                })
                .collect(),
        ),
        Backup::Children => children(0.0),
        Backup::SoftmaxChildren { scale } => children(scale),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_token_tree_is_the_compressed_trie(seed in any::<u64>()) {
        let sequences = sequences(seed);
        let trie = trie(&sequences);
        let tokens = of(&sequences);
        let tree = tokens.tree();
        prop_assert_eq!(tokens.tokens(), trie.len().saturating_sub(1), "every prefix but the empty one is a token");
        let mut passed: BTreeMap<usize, &BTreeSet<usize>> = BTreeMap::new();
        for (rollout, sequence) in sequences.iter().enumerate() {
            let Some(sequence) = sequence else {
                prop_assert_eq!(tree.end(rollout), None);
                continue;
            };
            let path = tree.path(rollout);
            // A node ends where the set of rollouts that go on changes, or the rollout ends.
            let rollouts_after = |length: usize| &trie[&sequence[..length]];
            let ends: Vec<usize> = (1..=sequence.len())
                .filter(|&end| end == sequence.len() || rollouts_after(end + 1) != rollouts_after(end))
                .collect();
            prop_assert_eq!(path.iter().map(|&node| tokens.span(node).1).collect::<Vec<_>>(), ends.clone());
            for (depth, (&node, &end)) in path.iter().zip(&ends).enumerate() {
                let set = rollouts_after(end);
                prop_assert_eq!(tree.depth(node), depth + 1);
                prop_assert_eq!(tree.visits(node), set.len());
                prop_assert_eq!(*passed.entry(node).or_insert(set), set, "a node is one set of rollouts");
                let next = trie.keys().filter(|prefix| prefix.len() == end + 1 && prefix.starts_with(&sequence[..end]));
                prop_assert_eq!(tree.children(node), next.count());
            }
        }
        prop_assert_eq!(tree.nodes(), passed.len() + 1);
        prop_assert!(tree.nodes() <= 2 * sequences.len() + 1, "memory is bounded by the rollouts");
        let forks = trie.keys().filter(|prefix| {
            trie.keys().filter(|other| other.len() == prefix.len() + 1 && other.starts_with(prefix)).count() > 1
        });
        prop_assert_eq!(tree.forks(), forks.count());
    }

    #[test]
    fn backups_are_their_recursion(seed in any::<u64>(), factor in 0.0f64..1.5) {
        let (paths, values) = given(seed);
        let (tree, ids) = Tree::of_paths(&paths).unwrap();
        let edge = |id: i64| (id as f64 * 0.7).sin();
        let edges: Vec<f64> = std::iter::once(0.0).chain(ids.iter().map(|&id| edge(id))).collect();
        for backup in [
            Backup::Leaves, Backup::Children, Backup::Max, Backup::Discounted { gamma: factor },
            Backup::Decayed { decay: factor }, Backup::SoftmaxLeaves { scale: factor }, Backup::SoftmaxChildren { scale: factor },
        ] {
            let got = tree.back_up(&values, Some(&edges), backup);
            for (rollout, path) in paths.iter().enumerate() {
                for (length, node) in std::iter::once(0).chain(tree.path(rollout)).enumerate().take_while(|_| path.is_some()) {
                    let wanted = naive(&path.as_ref().unwrap()[..length], &paths, &values, &edge, backup);
                    let close = match (got[node], wanted) {
                        (Some(got), Some(wanted)) => (got - wanted).abs() < 1e-9,
                        (got, wanted) => got.is_none() == wanted.is_none(),
                    };
                    prop_assert!(close, "{:?} at {}: {:?} {:?}", backup, length, got[node], wanted);
                }
            }
        }
    }
}

/// Equal values have exactly that mean, whatever they are.
#[test]
fn equal_values_are_exact() {
    let paths: Vec<Option<Vec<i64>>> = (0..7).map(|leaf| Some(vec![leaf / 3, 10 + leaf])).collect();
    let (tree, _) = Tree::of_paths(&paths).unwrap();
    for backup in [Backup::Leaves, Backup::Children, Backup::Decayed { decay: 0.3 }] {
        assert!(tree.back_up(&[Some(0.1); 7], None, backup).iter().all(|value| *value == Some(0.1)));
    }
}

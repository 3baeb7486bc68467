//! The operators that add signals: the prefix tree against the walk of TEMPO, groups of equal states.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};
use meed_operators::credit::*;
use meed_operators::signals::{AddSignals, PrefixTree, StateGroups, add_signals};
use meed_operators::tree::Backup;
use proptest::prelude::*;

use crate::arrays::{batch, list, whole};
use crate::data::Cell;
use crate::generator::{Random, dataset};
use crate::program::{cells, checked};

/// A rollout of the tree: its group, tokens and reward.
#[derive(Clone)]
struct Leaf {
    group: usize,
    tokens: Vec<i32>,
    reward: Option<f64>,
}

fn forest(seed: u64, nulls: bool) -> Vec<Leaf> {
    let random = &mut Random::new(seed);
    let mut leaves: Vec<Leaf> = Vec::new();
    for group in 0..1 + random.below(3) {
        for _ in 0..1 + random.below(6) {
            let mut tokens: Vec<i32> = Vec::new();
            if let Some(other) = leaves.iter().rfind(|leaf| leaf.group == group && random.chance(70)) {
                tokens = other.tokens[..random.below(other.tokens.len() + 1)].to_vec();
            }
            tokens.extend((0..random.below(6)).map(|_| random.below(3) as i32));
            let reward = (!(nulls && random.chance(20))).then(|| random.number());
            leaves.push(Leaf { group, tokens, reward });
        }
    }
    leaves
}

fn rollouts(leaves: &[Leaf], masks: &[Vec<bool>], order: &[usize]) -> RecordBatch {
    let ids = order.iter().map(|&row| format!("r{row}"));
    let tokens: Vec<Cell<i32>> = order.iter().map(|&row| whole(&leaves[row].tokens)).collect();
    let masks: Vec<Cell<bool>> = order.iter().map(|&row| whole(&masks[row])).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("iteration", Arc::new(Int64Array::from(vec![0; order.len()]))),
        (
            "group_id",
            Arc::new(StringArray::from_iter_values(
                order.iter().map(|&row| format!("g{}", leaves[row].group)),
            )),
        ),
        ("rollout_id", Arc::new(StringArray::from_iter_values(ids))),
        ("reward", Arc::new(Float64Array::from_iter(order.iter().map(|&row| leaves[row].reward)))),
        ("token_ids", list(&tokens, |values| Arc::new(Int32Array::from(values)))),
        ("token_mask", list(&masks, |values| Arc::new(BooleanArray::from(values)))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))
        .unwrap()
}

fn mean_reward(leaves: &[Leaf], set: &[usize]) -> Option<f64> {
    let known: Vec<f64> = set.iter().filter_map(|&row| leaves[row].reward).collect();
    (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
}

/// The rollouts that share tokens `0..=at` with a rollout: the set B of the walk.
fn sharing(leaves: &[Leaf], row: usize, at: usize) -> Vec<usize> {
    let prefix = &leaves[row].tokens[..=at];
    (0..leaves.len())
        .filter(|&other| leaves[other].group == leaves[row].group && leaves[other].tokens.starts_with(prefix))
        .collect()
}

/// `A = (r - mean(r) + V(B) - V(S)) / (std(r) + eps)`, walked token by token up to a masked one.
fn tempo(leaves: &[Leaf], masks: &[Vec<bool>], eps: Option<f64>) -> Vec<Vec<f64>> {
    (0..leaves.len())
        .map(|row| {
            let group: Vec<usize> =
                (0..leaves.len()).filter(|&other| leaves[other].group == leaves[row].group).collect();
            let rewards: Vec<f64> = group.iter().map(|&row| leaves[row].reward.unwrap()).collect();
            let mean = rewards.iter().sum::<f64>() / rewards.len() as f64;
            let std = (rewards.iter().map(|r| (r - mean).powi(2)).sum::<f64>()
                / (rewards.len() as f64 - 1.0))
                .sqrt();
            let mut set = group.clone();
            let mut walking = true;
            (0..leaves[row].tokens.len())
                .map(|at| {
                    walking &= masks[row][at];
                    let mut jump = 0.0;
                    if walking && set.len() > 1 {
                        let branch = sharing(leaves, row, at);
                        jump = mean_reward(leaves, &branch).unwrap() - mean_reward(leaves, &set).unwrap();
                        set = branch;
                    }
                    let relative = leaves[row].reward.unwrap() - mean + jump;
                    match eps {
                        _ if group.len() == 1 => 0.0,
                        Some(eps) => relative / (std + eps),
                        None => relative,
                    }
                })
                .collect()
        })
        .collect()
}

fn tempo_expression(eps: Option<f64>) -> Expr {
    let reward = || signal("reward");
    let jump = difference(signal("branch_values"), Some(mean(reward(), group()))).at_first(TOKEN).over(all());
    let masked_before = value(1.0).spread(TOKEN).scan(Running::Count).over(all().only(mask().negated()));
    let relative = reward() - mean(reward(), group()) + when(masked_before.equals(0.0), jump, 0.0);
    let advantage = match eps {
        Some(eps) => relative / (std(reward(), group(), 1) + eps),
        None => relative,
    };
    when(members(reward(), group()).equals(1.0), 0.0, advantage)
}

fn tree() -> Vec<Arc<dyn AddSignals>> {
    vec![Arc::new(PrefixTree { value: "reward".into(), backup: Backup::Leaves })]
}

fn advantages(batch: RecordBatch, expr: Expr) -> Vec<Vec<Option<f64>>> {
    let unit = add_signals(&tree(), Unit::new(batch).unwrap()).unwrap();
    let checked = checked(&Credit::new().advantage(expr), unit.batch()).unwrap();
    let evaluated = evaluate(&checked, &unit, &BatchStatistics::default()).unwrap();
    cells(&unit, evaluated.signal("advantage").unwrap())
}

/// The worked example of the method's description.
#[test]
fn tempo_of_four_rollouts() {
    let leaf = |tokens: &[i32], reward| Leaf { group: 0, tokens: tokens.to_vec(), reward: Some(reward) };
    let leaves =
        [leaf(&[5, 7, 9, 2], 1.0), leaf(&[5, 7, 8, 2], 0.0), leaf(&[5, 6, 2], 1.0), leaf(&[4, 3, 2], 0.0)];
    let masks: Vec<Vec<bool>> = leaves.iter().map(|leaf| vec![true; leaf.tokens.len()]).collect();
    let wanted = [
        vec![1.15469854, 0.57734927, 1.73204781, 0.86602390],
        vec![-0.57734927, -1.15469854, -1.73204781, -0.86602390],
        vec![1.15469854, 1.44337317, 0.86602390],
        vec![-1.73204781, -0.86602390, -0.86602390],
    ];
    let got = advantages(rollouts(&leaves, &masks, &[2, 0, 3, 1]), tempo_expression(Some(1e-6)));
    for (got, wanted) in got.iter().zip(&wanted) {
        assert!(
            got.iter().zip(wanted).all(|(got, wanted)| (got.unwrap() - wanted).abs() < 1e-7),
            "{got:?} {wanted:?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn tempo_by_the_walk(seed in any::<u64>(), scaled: bool) {
        let random = &mut Random::new(seed ^ 31);
        let leaves = forest(seed, false);
        // A rollout without trainable tokens would leave the baseline, which the walk does not know.
        let masks: Vec<Vec<bool>> = leaves.iter().map(|leaf| {
            let cut = 1 + random.below(leaf.tokens.len() + 2);
            (0..leaf.tokens.len()).map(|token| token < cut).collect()
        }).collect();
        prop_assume!(leaves.iter().all(|leaf| !leaf.tokens.is_empty()));
        let eps = scaled.then_some(0.1);
        let got = advantages(rollouts(&leaves, &masks, &random.shuffled(leaves.len())), tempo_expression(eps));
        for (got, wanted) in got.iter().zip(tempo(&leaves, &masks, eps)) {
            for (got, wanted) in got.iter().zip(wanted) {
                prop_assert!((got.unwrap() - wanted).abs() < 1e-10, "{:?} {}", got, wanted);
            }
        }
    }

    #[test]
    fn branches_by_shared_prefixes(seed in any::<u64>()) {
        let leaves = forest(seed, true);
        let masks: Vec<Vec<bool>> = leaves.iter().map(|leaf| vec![true; leaf.tokens.len()]).collect();
        let unit = Unit::new(rollouts(&leaves, &masks, &Random::new(seed).shuffled(leaves.len()))).unwrap();
        let unit = add_signals(&tree(), unit).unwrap();
        let column = |name: &str, row: usize| unit.list(name).unwrap().value(row);
        let mut nodes: HashMap<(usize, i64), Vec<usize>> = HashMap::new();
        for (row, leaf) in leaves.iter().enumerate() {
            let (ends, ids) = (column("branch_ends", row), column("branch_nodes", row));
            let (values, visits) = (column("branch_values", row), column("branch_visits", row));
            let ends: Vec<usize> = ends.as_primitive::<Int32Type>().values().iter().map(|&end| end as usize).collect();
            // A branch ends where the set of rollouts that share the prefix changes.
            let changes: Vec<usize> = (1..=leaf.tokens.len()).filter(|&end| end == leaf.tokens.len() || sharing(&leaves, row, end) != sharing(&leaves, row, end - 1)).collect();
            prop_assert_eq!(&ends, &changes);
            for (i, &end) in ends.iter().enumerate() {
                let set = sharing(&leaves, row, end - 1);
                prop_assert_eq!(visits.as_primitive::<Int64Type>().value(i), set.len() as i64);
                let value = mean_reward(&leaves, &set);
                prop_assert_eq!(values.is_valid(i), value.is_some());
                prop_assert!(value.is_none_or(|value| (values.as_primitive::<Float64Type>().value(i) - value).abs() < 1e-12));
                let node = ids.as_primitive::<Int64Type>().value(i);
                let known = nodes.entry((leaf.group, node)).or_insert_with(|| set.clone());
                prop_assert_eq!(&*known, &set, "a node is one set of rollouts");
            }
        }
    }

    #[test]
    fn equal_states_share_a_cluster(seed in any::<u64>()) {
        let data = dataset(seed);
        let order = Random::new(seed).shuffled(data.rows.len());
        let unit = Unit::new(batch(&data, &order)).unwrap();
        let unit = add_signals(&[Arc::new(StateGroups { similarity: 1.0, history: 0 })], unit).unwrap();
        let clusters = unit.list("step_state_groups").unwrap();
        for group in data.groups() {
            let mut known: Vec<&str> = Vec::new();
            let mut rows: Vec<usize> = group.into_iter().collect();
            // What is not trained on comes last.
            rows.sort_by_key(|&row| !data.rows[row].mask.contains(&true));
            for row in rows {
                let rollout = &data.rows[row];
                prop_assert_eq!(clusters.is_valid(row), rollout.step_states.is_some());
                let got = clusters.value(row);
                for (step, state) in rollout.step_states.iter().flatten().enumerate() {
                    let wanted = state.as_deref().filter(|_| rollout.acts(step)).map(|state| {
                        known.iter().position(|known| *known == state).unwrap_or_else(|| {
                            known.push(state);
                            known.len() - 1
                        }) as i64
                    });
                    let got = got.as_primitive::<Int64Type>();
                    prop_assert_eq!(got.is_valid(step).then(|| got.value(step)), wanted);
                }
            }
        }
    }

    /// Clusters of equal states give the statistics of the states themselves.
    #[test]
    fn clusters_are_keys_like_states(seed in any::<u64>()) {
        let data = dataset(seed);
        let order: Vec<usize> = (0..data.rows.len()).collect();
        let unit = add_signals(&[Arc::new(StateGroups { similarity: 1.0, history: 0 })], Unit::new(batch(&data, &order)).unwrap()).unwrap();
        let by = |key: &str| mean(signal("step_rewards"), group().and(signal(key))).null_if(policy(STEP).negated());
        let checked = checked(&Credit::new().define("a", by("step_states")).define("b", by("step_state_groups")), unit.batch()).unwrap();
        let evaluated = evaluate(&checked, &unit, &BatchStatistics::default()).unwrap();
        prop_assert_eq!(cells(&unit, evaluated.signal("a").unwrap()), cells(&unit, evaluated.signal("b").unwrap()));
    }
}

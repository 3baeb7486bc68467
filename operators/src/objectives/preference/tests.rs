//! Properties of preference losses on generated batches: ragged, masked, with rollouts in several pairs.

use proptest::prelude::*;

use super::{Divergence, Pair, PairLoss, Scores, bco_pair, discopop, mean_over_pairs, sigmoid};
use crate::objectives::{Columns, Loss};

/// Two to five rollouts of 0 to 4 tokens, and up to six pairs of them with weights.
fn batches() -> impl Strategy<Value = Columns> {
    let token = (-2.0..0.0, -2.0..0.0, prop::bool::weighted(0.7));
    let rollouts = prop::collection::vec(prop::collection::vec(token, 0..5), 2..6);
    let pairs = prop::collection::vec((0_usize..5, 1_usize..5, 0.0..2.0), 0..6);
    (rollouts, pairs).prop_map(|(rollouts, pairs)| {
        let count = rollouts.len();
        let mut columns = Columns { offsets: vec![0], ..Columns::default() };
        let mut reference = Vec::new();
        for rollout in rollouts {
            for (now, before, on) in rollout {
                columns.logprobs.push(now);
                reference.push(before);
                columns.mask.push(on);
            }
            columns.offsets.push(columns.mask.len());
        }
        columns.ref_logprobs = Some(reference);
        columns.groups = vec![0; count];
        let pair = |(chosen, step, weight): (usize, usize, f64)| {
            let chosen = chosen % count;
            Pair::new(chosen, (chosen + 1 + step % (count - 1)) % count).weighted(weight)
        };
        columns.pairs = pairs.into_iter().map(pair).collect();
        columns
    })
}

fn loss(columns: &Columns, divergence: Divergence, per_token: bool, rule: fn(f64, f64) -> PairLoss) -> Loss {
    let scores = Scores::log_ratios(columns).expect("a batch with a reference");
    let scores = scores.map(columns, |_, score| divergence.transform(score));
    let scores = if per_token { scores.per_token(columns) } else { scores };
    mean_over_pairs(columns, &scores, |_, chosen, rejected| rule(chosen, rejected))
        .expect("pairs of the batch")
}

fn rules() -> impl Strategy<Value = fn(f64, f64) -> PairLoss> {
    prop_oneof![
        Just((|w, l| sigmoid(0.7, 0.1, w, l)) as fn(f64, f64) -> PairLoss),
        Just((|w, l| bco_pair(0.7, w, l)) as fn(f64, f64) -> PairLoss),
        Just((|w, l| discopop(0.7, 0.5, w, l)) as fn(f64, f64) -> PairLoss),
    ]
}

fn divergences() -> impl Strategy<Value = Divergence> {
    prop_oneof![
        Just(Divergence::ReverseKl),
        Just(Divergence::JensenShannon),
        (0.1..0.9).prop_map(Divergence::Alpha),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn gradients_are_those_of_the_loss(
        columns in batches(),
        divergence in divergences(),
        per_token in any::<bool>(),
        rule in rules(),
    ) {
        let gradient = loss(&columns, divergence, per_token, rule).logprobs;
        prop_assert_eq!(gradient.len(), columns.logprobs.len());
        for (t, got) in gradient.into_iter().enumerate() {
            let nudged = |by: f64| {
                let mut columns = columns.clone();
                columns.logprobs[t] += by;
                loss(&columns, divergence, per_token, rule).value
            };
            let wanted = (nudged(1e-5) - nudged(-1e-5)) / 2e-5;
            let error = (got - wanted).abs();
            prop_assert!(error < 1e-6 * wanted.abs().max(1.0), "{} {}", got, wanted);
        }
    }

    #[test]
    fn tokens_outside_the_mask_and_rollouts_outside_pairs_have_no_part(
        columns in batches(),
        rule in rules(),
    ) {
        let before = loss(&columns, Divergence::ReverseKl, false, rule);
        let paired = |i: usize| columns.pairs.iter().any(|pair| pair.chosen == i || pair.rejected == i);
        let mut moved = columns.clone();
        for (rollout, range) in columns.ranges().enumerate() {
            for t in range {
                if !columns.mask[t] || !paired(rollout) {
                    prop_assert_eq!(before.logprobs[t], 0.0);
                    moved.logprobs[t] -= 1.0;
                }
            }
        }
        prop_assert_eq!(loss(&moved, Divergence::ReverseKl, false, rule), before);
    }

    #[test]
    fn a_pair_of_weight_2_is_that_pair_twice(columns in batches(), rule in rules()) {
        prop_assume!(!columns.pairs.is_empty());
        let mut twice = columns.clone();
        twice.pairs.extend(columns.pairs.clone());
        let mut heavier = columns.clone();
        heavier.pairs.iter_mut().for_each(|pair| pair.weight *= 2.0);
        let sum = |columns: &Columns| {
            let loss = loss(columns, Divergence::ReverseKl, false, rule);
            let pairs = columns.pairs.len() as f64;
            (loss.value * pairs, loss.logprobs.into_iter().map(|slope| slope * pairs).collect::<Vec<_>>())
        };
        let ((value, slopes), (wanted, wanted_slopes)) = (sum(&twice), sum(&heavier));
        prop_assert!((value - wanted).abs() < 1e-9);
        for (slope, wanted) in slopes.iter().zip(wanted_slopes) {
            prop_assert!((slope - wanted).abs() < 1e-9);
        }
    }
}

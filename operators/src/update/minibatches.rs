//! Cutting rollouts into the minibatches of an update.

use rand::seq::SliceRandom;

use crate::random::RandomKey;

/// Where an epoch over the rollouts is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Into at most so many optimiser steps of about equally many tokens.
    Steps(usize),
    /// Into as few optimiser steps as hold at most so many tokens each. A longer rollout stands alone.
    Tokens(usize),
}

/// The minibatches of an update: for each optimiser step, the rollouts that it trains on, in canonical
/// order. `tokens[i]` is the number of tokens of rollout `i` in canonical order.
///
/// Every epoch takes each rollout once, in an order that depends on the key and the epoch alone. With a
/// single step per epoch the order is of no consequence.
///
/// ```
/// use meed_operators::random::RandomKey;
/// use meed_operators::update::{Cut, minibatches};
/// let key = RandomKey::new(7, 0, "", "");
/// let steps = minibatches(&[10, 10, 10, 10], 2, Cut::Steps(2), key);
/// assert_eq!(steps.len(), 4);
/// assert!(steps.iter().all(|rollouts| rollouts.len() == 2));
/// ```
pub fn minibatches(tokens: &[usize], epochs: usize, cut: Cut, key: RandomKey) -> Vec<Vec<usize>> {
    let key = key.within("minibatches");
    (0..epochs)
        .flat_map(|epoch| {
            let mut order: Vec<usize> = (0..tokens.len()).collect();
            order.shuffle(&mut key.at(epoch as u64));
            match cut {
                Cut::Steps(steps) => by_steps(tokens, &order, steps.max(1)),
                Cut::Tokens(most) => by_tokens(tokens, &order, most),
            }
        })
        .map(|mut rollouts| {
            rollouts.sort_unstable();
            rollouts
        })
        .collect()
}

/// A rollout belongs to the step in which its middle token lies.
fn by_steps(tokens: &[usize], order: &[usize], steps: usize) -> Vec<Vec<usize>> {
    // Twice the tokens, so that middles are whole; rollouts without tokens count as one.
    let length = |rollout: usize| tokens[rollout].max(1) as u128;
    let total: u128 = 2 * order.iter().map(|&rollout| length(rollout)).sum::<u128>();
    let mut parts = vec![Vec::new(); steps];
    let mut before = 0;
    for &rollout in order {
        let part = (before + length(rollout)) * steps as u128 / total;
        parts[part as usize].push(rollout);
        before += 2 * length(rollout);
    }
    parts.retain(|part| !part.is_empty());
    parts
}

fn by_tokens(tokens: &[usize], order: &[usize], most: usize) -> Vec<Vec<usize>> {
    let mut parts: Vec<Vec<usize>> = Vec::new();
    let mut used = 0;
    for &rollout in order {
        match parts.last_mut() {
            Some(part) if used + tokens[rollout] <= most => {
                part.push(rollout);
                used += tokens[rollout];
            }
            _ => {
                parts.push(vec![rollout]);
                used = tokens[rollout];
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> RandomKey {
        RandomKey::new(3, 5, "", "")
    }

    proptest! {
        #[test]
        fn every_epoch_takes_each_rollout_once(
            tokens in prop::collection::vec(0_usize..50, 0..40),
            steps in 1_usize..6,
            most in 1_usize..80,
        ) {
            for cut in [Cut::Steps(steps), Cut::Tokens(most)] {
                let parts = minibatches(&tokens, 1, cut, key());
                let mut all: Vec<usize> = parts.concat();
                all.sort_unstable();
                prop_assert_eq!(all, (0..tokens.len()).collect::<Vec<_>>());
                prop_assert!(parts.iter().all(|part| part.is_sorted() && !part.is_empty()));
                let used = |part: &Vec<usize>| part.iter().map(|&i| tokens[i]).sum::<usize>();
                let fits = match cut {
                    Cut::Steps(steps) => parts.len() <= steps,
                    Cut::Tokens(most) => parts.iter().all(|part| part.len() == 1 || used(part) <= most),
                };
                prop_assert!(fits);
                prop_assert_eq!(parts, minibatches(&tokens, 1, cut, key()));
            }
        }
    }

    #[test]
    fn epochs_and_seeds_have_orders_of_their_own() {
        let tokens = [7; 32];
        let two = minibatches(&tokens, 2, Cut::Steps(4), key());
        assert_eq!(two[..4], minibatches(&tokens, 1, Cut::Steps(4), key())[..]);
        assert_ne!(two[..4], two[4..]);
        assert_ne!(two, minibatches(&tokens, 2, Cut::Steps(4), RandomKey::new(4, 5, "", "")));
        assert!(two.iter().all(|rollouts| rollouts.len() == 8));
    }
}

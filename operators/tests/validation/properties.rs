//! Random valid batches are accepted, and each single mutation of one is found.

use meed_operators::Place;
use meed_operators::columns::{OnError, Rollouts, accept, complete, validate};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::rows::{Row, batch};

/// A valid rollout: steps of random lengths (some empty), absent values here and there.
fn any_row() -> impl Strategy<Value = Row> {
    let value = prop_oneof![Just(None), (-5.0..5.0f64).prop_map(Some)];
    let steps = vec((0..6usize, value.clone()), 1..5);
    (steps, any::<bool>(), value, any::<u64>()).prop_map(|(steps, with_logprobs, reward, bits)| {
        let mut end = 0;
        let step_ends: Vec<i32> = steps
            .iter()
            .map(|(length, _)| {
                end += *length as i32;
                end
            })
            .collect();
        let tokens = end as usize;
        let logprob = |i: usize| (bits >> (i % 64) & 2 != 0).then_some(-(i as f32));
        Row {
            group: "g",
            rollout: String::new(),
            mask: (0..tokens).map(|i| bits >> (i % 64) & 1 == 1).collect(),
            logprobs: with_logprobs.then(|| (0..tokens).map(logprob).collect()),
            step_ends,
            step_rewards: steps.into_iter().map(|(_, reward)| reward).collect(),
            reward,
        }
    })
}

fn any_rows() -> impl Strategy<Value = Vec<Row>> {
    vec(any_row(), 1..12).prop_map(|mut rows| {
        for (index, row) in rows.iter_mut().enumerate() {
            row.rollout = format!("r{index}");
        }
        rows
    })
}

#[derive(Debug, Clone, Copy)]
enum Mutation {
    EndsBackwards,
    EndsShort,
    MaskLonger,
    StepRewardsShorter,
    LogprobsLonger,
    NanReward,
    NanStepReward,
    NanLogprob,
    SameId,
}

/// Breaks the row and names the column; `None` where the row has nothing to break.
fn mutate(row: &mut Row, mutation: Mutation) -> Option<&'static str> {
    match mutation {
        Mutation::EndsBackwards => {
            let last = row.step_ends.len().checked_sub(2)?;
            row.step_ends[last] = row.step_ends[last + 1] + 1;
            Some("step_ends")
        }
        Mutation::EndsShort => {
            *row.step_ends.last_mut()? -= 1;
            Some("step_ends")
        }
        Mutation::MaskLonger => {
            row.mask.push(true);
            Some(if row.logprobs.is_some() { "token_rollout_logprobs" } else { "step_ends" })
        }
        Mutation::StepRewardsShorter => {
            row.step_rewards.pop()?;
            Some("step_rewards")
        }
        Mutation::LogprobsLonger => {
            row.logprobs.as_mut()?.push(None);
            Some("token_rollout_logprobs")
        }
        Mutation::NanReward => {
            row.reward = Some(f64::NAN);
            Some("reward")
        }
        Mutation::NanStepReward => {
            *row.step_rewards.last_mut()? = Some(f64::NAN);
            Some("step_rewards")
        }
        Mutation::NanLogprob => {
            *row.logprobs.as_mut()?.first_mut()? = Some(f32::NAN);
            Some("token_rollout_logprobs")
        }
        Mutation::SameId => None,
    }
}

fn any_mutation() -> impl Strategy<Value = Mutation> {
    proptest::sample::select(vec![
        Mutation::EndsBackwards,
        Mutation::EndsShort,
        Mutation::MaskLonger,
        Mutation::StepRewardsShorter,
        Mutation::LogprobsLonger,
        Mutation::NanReward,
        Mutation::NanStepReward,
        Mutation::NanLogprob,
        Mutation::SameId,
    ])
}

proptest! {
    #[test]
    fn valid_rows_are_accepted(rows in any_rows(), from in 0..12usize) {
        let batch = batch(&rows);
        prop_assert!(validate(&batch, "f", 0).unwrap().is_empty());
        let from = from.min(rows.len());
        let slice = complete(batch.slice(from, rows.len() - from), "f").unwrap();
        let rollouts = Rollouts::try_new(slice, &Place::file("f")).unwrap();
        prop_assert_eq!(rollouts.len(), rows.len() - from);
        let offsets = rollouts.token_offsets();
        for (index, row) in rows[from..].iter().enumerate() {
            let range = offsets[index] as usize..offsets[index + 1] as usize;
            let mask: Vec<bool> = range.map(|token| rollouts.mask().value(token)).collect();
            prop_assert_eq!(&mask, &row.mask);
        }
    }

    #[test]
    fn a_single_mutation_is_found(
        mut rows in any_rows(),
        at in any::<prop::sample::Index>(),
        mutation in any_mutation(),
        from in any::<prop::sample::Index>(),
    ) {
        let mut at = at.index(rows.len());
        let column = match mutation {
            Mutation::SameId => {
                prop_assume!(rows.len() > 1);
                at = at.max(1);
                rows[at].rollout = rows[at - 1].rollout.clone();
                Some("rollout_id")
            }
            _ => mutate(&mut rows[at], mutation),
        };
        prop_assume!(column.is_some());
        // A slice that still holds the row, and for a repeated id also the one before it.
        let from = from.index(at.max(1));
        let slice = batch(&rows).slice(from, rows.len() - from);
        let found = validate(&slice, "f", from as u64).unwrap();
        prop_assert_eq!(found.len(), 1);
        prop_assert_eq!(found[0].row, at as u64);
        let message = found[0].error.to_string();
        let place = format!("f, row {at}, rollout {}, column {}: ", rows[at].rollout, column.unwrap());
        prop_assert!(message.starts_with(&place), "{} does not start with {}", message, place);
        let (kept, _) = accept(slice, "f", from as u64, OnError::Skip).unwrap();
        prop_assert_eq!(kept.num_rows(), rows.len() - from - 1);
    }
}

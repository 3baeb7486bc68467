//! Batches with nothing to train on: no loss, no gradient, nothing that is not a number.

use meed_operators::objectives::Columns;
use meed_pipelines::objectives::recipes::RECIPES;

use crate::differences::{batch, loss, noise, objective};

/// The batch with every signal that one of the objectives reads.
fn complete() -> Columns {
    let mut columns = batch();
    let (tokens, steps, rollouts) = (columns.tokens(), 8, columns.rollouts());
    let of_tokens = ["token_baselines", "token_clip_scales", "token_is_answer", "token_rm_logits"];
    let of_heads = ["token_head_values", "token_old_head_values", "token_head_returns"];
    let of_steps = [
        "step_rewards",
        "step_dones",
        "step_q1",
        "step_q2",
        "step_v1",
        "step_v2",
        "step_target_q1",
        "step_target_q2",
        "step_target_next_v1",
        "step_target_next_v2",
        "step_pi_q1",
        "step_pi_q2",
        "step_viability",
        "step_next_viability",
        "step_efficiency",
        "step_next_efficiency",
        "step_autonomous",
        "step_progress_deltas",
    ];
    let lists = of_tokens.iter().map(|name| (name, tokens));
    let lists = lists.chain(of_heads.iter().map(|name| (name, 3 * tokens)));
    let lists = lists.chain(of_steps.iter().map(|name| (name, steps))).chain([(&"hinted", rollouts)]);
    for (salt, (name, count)) in lists.enumerate() {
        columns.signals.insert((*name).to_owned(), noise(100 + salt as u32, count));
    }
    columns
}

#[test]
fn every_objective_has_a_finite_loss_on_a_complete_batch() {
    for named in RECIPES {
        let loss = loss(objective(named.name, &[]).as_ref(), &complete());
        let gradients = [Some(loss.logprobs), loss.entropies, loss.values];
        let lists = gradients.into_iter().flatten().chain(loss.signals.into_values());
        let numbers = lists.flatten().chain(loss.parts.into_values()).chain([loss.value]);
        assert!(numbers.into_iter().all(f64::is_finite), "{}", named.name);
    }
}

#[test]
fn nothing_to_train_on_is_no_loss() {
    let masked = Columns { mask: vec![false; 16], ..complete() };
    let mut empty = Columns { offsets: vec![0], steps: Some(vec![0]), ..Columns::default() };
    empty.rewards = Some(Vec::new());
    for column in [
        &mut empty.old_logprobs,
        &mut empty.rollout_logprobs,
        &mut empty.ref_logprobs,
        &mut empty.entropies,
        &mut empty.values,
        &mut empty.old_values,
        &mut empty.returns,
    ] {
        *column = Some(Vec::new());
    }
    empty.signals = complete().signals.into_keys().map(|name| (name, Vec::new())).collect();
    for named in RECIPES {
        for (what, columns) in [("masked", &masked), ("empty", &empty)] {
            let got = loss(objective(named.name, &[]).as_ref(), columns);
            assert!(got.value == 0.0, "{}, {what}: {}", named.name, got.value);
            assert!(got.logprobs.iter().all(|slope| *slope == 0.0), "{}, {what}", named.name);
            let others = [got.entropies, got.values].into_iter().flatten().chain(got.signals.into_values());
            assert!(others.flatten().all(|slope| slope == 0.0), "{}, {what}", named.name);
            assert!(
                got.parts.values().all(|part| part.is_finite()),
                "{}, {what}: {:?}",
                named.name,
                got.parts
            );
        }
    }
}

//! Objectives of judges against finite differences, and against the numbers of their sections.

use meed_operators::objectives::Columns;
use meed_operators::objectives::preference::Pair;

use crate::objectives::finite_differences::{logprobs, loss_of, values};

fn close(got: f64, wanted: f64) {
    assert!((got - wanted).abs() < 1e-6, "got {got}, expected {wanted}");
}

/// One rollout per list of log-ratios: the reference has 0 everywhere.
fn ratios(rollouts: &[&[f64]], rewards: &[f64]) -> Columns {
    let logprobs = rollouts.concat();
    let zeros = vec![0.0; logprobs.len()];
    let mut offsets = vec![0];
    rollouts.iter().for_each(|rollout| offsets.push(offsets[offsets.len() - 1] + rollout.len()));
    Columns {
        offsets,
        groups: vec![0; rollouts.len()],
        mask: vec![true; logprobs.len()],
        logprobs,
        old_logprobs: Some(zeros.clone()),
        ref_logprobs: Some(zeros),
        rewards: Some(rewards.to_vec()),
        ..Columns::default()
    }
}

fn batch() -> Columns {
    let mut columns = ratios(&[&[0.4, -0.1], &[0.3], &[-0.6, 0.2, 0.1], &[0.5]], &[1.0, 0.0, 0.0, 1.0]);
    columns.mask[4] = false;
    columns.pairs = vec![Pair::new(0, 1), Pair::new(3, 2)];
    columns.signals.insert("policy_steps".into(), vec![2.0, 1.0, 1.0, 1.0]);
    columns.signals.insert("kl_log_ratios".into(), vec![0.3, 0.4]);
    columns
}

#[test]
fn gradients_are_those_of_the_losses() {
    logprobs("prime", &batch(), loss_of("prime", &[("beta", "0.7")]));
    logprobs("prime to the old policy", &batch(), loss_of("prime", &[("reference", "old policy")]));
    for loss in ["ce", "dpo", "kto_vanilla", "kto"] {
        let settings = [("loss", loss), ("beta", "0.7"), ("undesirable_weight", "1.5")];
        logprobs(loss, &batch(), loss_of("implicit_prm", &settings));
    }
    logprobs("istar", &batch(), loss_of("istar", &[("beta", "0.7")]));
    logprobs("istar with sums", &batch(), loss_of("istar", &[("score", "sum")]));
    let mut columns = batch();
    columns.values = Some(vec![0.1, 0.3, 0.2, 0.9, -0.4, 0.3, 0.6]);
    columns.signals.insert("turn_ends".into(), vec![1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0]);
    values("spa_rl", &columns, loss_of("spa_rl", &[]));
}

#[test]
fn a_floor_at_0_of_ktos_reference_points_has_no_gradient() {
    // The good class has a negative mean, the bad one a positive one.
    let columns = ratios(&[&[-0.4], &[0.3, 0.2], &[-0.1]], &[1.0, 0.0, 1.0]);
    logprobs("kto_vanilla", &columns, loss_of("implicit_prm", &[("loss", "kto_vanilla"), ("beta", "0.9")]));
}

#[test]
fn the_numbers_of_the_sections_come_out() {
    let pair = ratios(&[&[0.2, -0.1, 0.3], &[0.1, 0.05]], &[1.0, 0.0]);
    close(loss_of("prime", &[])(&pair).value, 0.6900507);
    assert_eq!(loss_of("prime", &[])(&pair).parts["pairwise_accuracy"], 1.0);
    let steps = |label| ratios(&[&[1.2, -3.0, 0.8]], &[label]);
    close(loss_of("implicit_prm", &[])(&steps(1.0)).value, 0.7184596);
    close(loss_of("implicit_prm", &[])(&steps(0.0)).value, 0.6684596);
    close(loss_of("implicit_prm", &[])(&steps(0.0)).outputs["outcome_rewards"][0], -0.05);

    let mut group = ratios(&[&[0.4, 0.6, -0.2, 1.0], &[0.1, -0.5, -0.3, -0.1]], &[1.0, 0.0]);
    group.signals.insert("policy_steps".into(), vec![2.0, 2.0]);
    close(loss_of("istar", &[])(&group).value, 0.661175);
    close(loss_of("istar", &[("score", "sum")])(&group).value, 0.630258);

    let mut turns = ratios(&[&[0.0, 0.0, 0.0]], &[1.0]);
    turns.values = Some(vec![0.1, 0.3, 0.5]);
    turns.signals.insert("turn_ends".into(), vec![1.0; 3]);
    close(loss_of("spa_rl", &[])(&turns).value, 0.01);
}

#[test]
fn a_group_without_a_pair_teaches_istar_nothing() {
    let mut group = ratios(&[&[0.4], &[0.1]], &[1.0, 1.0]);
    group.signals.insert("policy_steps".into(), vec![1.0, 1.0]);
    let loss = loss_of("istar", &[])(&group);
    assert_eq!((loss.value, loss.logprobs), (0.0, vec![0.0, 0.0]));
}

#[test]
fn kto_refuses_rewards_that_are_no_labels() {
    let settings = [("loss".to_owned(), "kto_vanilla".into())];
    let objective = crate::find_objective("implicit_prm").and_then(|found| found.with(&settings)).unwrap();
    let error = objective.loss(&ratios(&[&[0.4], &[0.1]], &[1.0, 0.5])).unwrap_err();
    assert!(error.to_string().contains("rollout 1 has reward 0.5"), "{error}");
}

//! Denoising objectives against finite differences, and against the numbers of their sections.

use meed_operators::objectives::Columns;

use crate::objectives::finite_differences::{logprobs, loss_of, signal};

fn close(got: f64, wanted: f64) {
    assert!((got - wanted).abs() < 1e-9 * wanted.abs().max(1.0), "got {got}, expected {wanted}");
}

/// Three samples of two steps, of which one step is not trained; ratios on both sides of a clip at 0.1.
fn batch() -> Columns {
    let mut columns = Columns {
        offsets: vec![0, 2, 4, 6],
        groups: vec![0, 0, 1],
        mask: vec![true, true, true, false, true, true],
        logprobs: vec![0.3, 0.71, -0.2, 0.4, 0.1, 0.53],
        old_logprobs: Some(vec![0.35, 0.5, -0.35, 0.4, 0.13, 0.5]),
        advantages: vec![0.7, 0.7, -1.2, -1.2, 6.0, -0.4],
        ..Columns::default()
    };
    let signals = [
        ("mean_shift", vec![0.02, 0.01, 0.03, 0.05, 0.02, 0.04]),
        ("old_mean_shift", vec![0.01, 0.02, 0.01, 0.02, 0.01, 0.03]),
        ("sde_std", vec![1.4, 0.9, 1.4, 0.9, 1.4, 0.9]),
        ("dt", vec![-0.2, -0.3, -0.2, -0.3, -0.2, -0.3]),
        ("sigma", vec![1.0, 0.8, 1.0, 0.8, 1.0, 0.8]),
        ("next_sigma", vec![0.8, 0.5, 0.8, 0.5, 0.8, 0.5]),
        ("step_index", vec![0.0, 1.0, 0.0, 1.0, 0.0, 1.0]),
        ("branches", vec![3.0, 2.0, 3.0, 2.0, 3.0, 2.0]),
        ("positive_advantages", vec![0.7, 0.7, 0.0, 0.3, 6.0, 0.0]),
        ("negative_advantages", vec![-0.2, 0.0, -1.2, 0.0, -0.5, -0.4]),
        ("squared_errors", vec![0.3, 0.1, 0.2, 0.4, 0.5, 0.2]),
        ("reference_errors", vec![0.1, 0.2, 0.3, 0.2, 0.1, 0.4]),
        ("cell_weights", vec![0.5, 0.9, 0.2, 0.5, 0.5, 0.1]),
    ];
    columns.signals.extend(signals.map(|(name, values)| (name.to_owned(), values)));
    columns
}

#[test]
fn gradients_are_those_of_the_losses() {
    let accumulated = [("clip", "0.1"), ("gradient_accumulation", "2")];
    logprobs("branch_grpo", &batch(), loss_of("branch_grpo", &accumulated));
    logprobs("dance_grpo", &batch(), loss_of("dance_grpo", &accumulated));
    logprobs("flow_grpo", &batch(), loss_of("flow_grpo", &[("clip", "0.1")]));
    for exact in ["false", "true"] {
        signal("flow_grpo", "mean_shift", &batch(), loss_of("flow_grpo", &[("exact_kl", exact)]));
    }
    for weight in ["2.25*sigma_t*sqrt(dt)", "mean_1", "none", "guard"] {
        let tempflow = loss_of("tempflow_grpo", &[("clip", "0.1"), ("weight", weight)]);
        logprobs(weight, &batch(), &tempflow);
        signal(weight, "mean_shift", &batch(), &tempflow);
    }
    logprobs("euphonium", &batch(), loss_of("euphonium", &[("clip", "0.1")]));
    for name in ["ac_flow", "srum"] {
        signal(name, "squared_errors", &batch(), loss_of(name, &[]));
        signal(name, "reference_errors", &batch(), loss_of(name, &[]));
    }
}

#[test]
fn an_untrained_step_changes_nothing() {
    let mut moved = batch();
    moved.logprobs[3] += 1.0;
    for name in ["branch_grpo", "dance_grpo", "euphonium", "flow_grpo", "tempflow_grpo"] {
        let loss = loss_of(name, &[]);
        assert_eq!(loss(&moved).value, loss(&batch()).value, "{name}");
        assert_eq!(loss(&moved).logprobs, loss(&batch()).logprobs, "{name}");
    }
}

#[test]
fn the_divergence_is_that_of_the_section() {
    // x = [0.5, -1], sigma 0.8 -> 0.7, a = 0.7: s = 1.4; the velocity moves by [0.05, -0.02].
    let factor = (1.0 + 1.4_f64.powi(2) * 0.2 / 1.6) * -0.1;
    let shift = ((0.05 * factor).powi(2) + (0.02 * factor).powi(2)) / 2.0;
    let mut columns = Columns {
        offsets: vec![0, 1],
        mask: vec![true],
        logprobs: vec![0.996153654_f64.ln()],
        old_logprobs: Some(vec![0.0]),
        advantages: vec![1.0],
        ..Columns::default()
    };
    columns.signals.insert("mean_shift".into(), vec![shift]);
    columns.signals.insert("sde_std".into(), vec![1.4]);
    columns.signals.insert("dt".into(), vec![-0.1]);
    let loss = loss_of("flow_grpo", &[("clip", "0.1")])(&columns);
    assert!((loss.parts["kl"] - 5.73351084e-6).abs() < 1e-13);
    close(loss.value, -0.996153654 + 0.04 * loss.parts["kl"]);
    let exact = loss_of("flow_grpo", &[("exact_kl", "true")])(&columns);
    assert!((exact.parts["kl"] - 5.73351084e-5).abs() < 1e-12);
}

#[test]
fn tempflows_weights_are_those_of_the_section() {
    let sigma = vec![1.0, 0.75, 0.5, 0.25];
    let mut columns = Columns {
        offsets: (0..5).collect(),
        mask: vec![true; 4],
        logprobs: vec![0.0; 4],
        advantages: vec![-1.0; 4],
        ..Columns::default()
    };
    let signals = [
        ("sigma", sigma.clone()),
        ("next_sigma", vec![0.75, 0.5, 0.25, 0.0]),
        ("step_index", vec![0.0, 1.0, 2.0, 3.0]),
        ("branches", vec![6.0; 4]),
    ];
    columns.signals.extend(signals.map(|(name, values)| (name.to_owned(), values)));
    let losses = |weight| {
        let loss = loss_of("tempflow_grpo", &[("weight", weight), ("beta", "0")])(&columns);
        (loss.outputs["row_losses"].clone(), loss.outputs["sde_std"].clone())
    };
    let near = |got: &[f64], wanted: [f64; 4]| {
        got.iter()
            .zip(wanted)
            .for_each(|(got, wanted)| assert!((got - wanted).abs() < 1e-8, "{got} {wanted}"));
    };
    // At ratio 1 and advantage -1 a row's loss is its weight.
    near(&losses("mean_1").0, [1.506761287, 1.304893552, 0.753380644, 0.434964517]);
    near(&losses("2.25*sigma_t*sqrt(dt)").0, [1.575, 1.363990011, 0.7875, 0.454663337]);
    near(&losses("none").1, [1.4, 1.212435565, 0.7, 0.404145188]);
}

#[test]
fn a_batch_whose_advantages_are_all_0_keeps_its_divergence() {
    let mut columns = batch();
    columns.advantages.fill(0.0);
    let loss = loss_of("tempflow_grpo", &[])(&columns);
    assert_eq!(loss.parts["policy_loss"], 0.0);
    assert!(loss.value > 0.0);
    assert_eq!(loss.outputs["trained"], [1.0, 1.0, 1.0, 0.0, 1.0, 1.0]);
}

#[test]
fn a_batch_without_advantages_says_so() {
    let columns = Columns { advantages: Vec::new(), ..batch() };
    for name in ["branch_grpo", "dance_grpo", "flow_grpo", "tempflow_grpo"] {
        let objective = crate::find_objective(name).and_then(|found| found.with(&[])).unwrap();
        let error = objective.loss(&columns).unwrap_err().to_string();
        assert!(error.contains("token_advantages"), "{name}: {error}");
    }
}

/// Members of one group, of which each is one position with the negative error as its log-probability.
fn ranked(rewards: &[f64], scores: &[f64]) -> Columns {
    Columns {
        offsets: (0..=scores.len()).collect(),
        groups: vec![0; scores.len()],
        mask: vec![true; scores.len()],
        logprobs: scores.iter().map(|score| score - 0.5).collect(),
        ref_logprobs: Some(vec![-0.5; scores.len()]),
        rewards: Some(rewards.to_vec()),
        ..Columns::default()
    }
}

#[test]
fn the_numbers_of_gdro() {
    let group = ranked(&[0.9, 0.5, 0.6], &[0.2, -0.1, 0.3]);
    let plain = |settings: &[(&str, &str)], columns: &Columns| {
        let settings = [&[("beta", "1"), ("gamma", "0")], settings].concat();
        loss_of("gdro", &settings)(columns).value
    };
    close(plain(&[], &group), 1.606460281);
    close(plain(&[("terms", "first")], &group), 1.045763860);
    close(plain(&[("tau", "0.5")], &group), 1.778988284);
    // Two members without temperature are DPO.
    let two = ranked(&[1.0, 0.0], &[0.2, -0.1]);
    close(plain(&[("tau", "0")], &two), 0.554355244);
    let dpo = Columns { pairs: vec![meed_operators::objectives::preference::Pair::new(0, 1)], ..two.clone() };
    close(plain(&[("tau", "0")], &two), loss_of("flow_dpo", &[("beta", "2")])(&dpo).value);
    let anchored = loss_of("gdro", &[("beta", "1")])(&group);
    close(anchored.value, 1.606460281 + 0.5 * 0.3);
}

#[test]
fn the_gradient_of_gdro_is_that_of_its_loss() {
    let mut columns = ranked(&[0.9, 0.5, 0.6, 0.2, 0.2], &[0.2, -0.1, 0.3, 0.5, 0.1]);
    columns.groups = vec![0, 0, 0, 1, 1];
    for (tau, terms) in [("0.05", "all"), ("0.5", "first"), ("0", "all")] {
        logprobs("gdro", &columns, loss_of("gdro", &[("tau", tau), ("terms", terms), ("beta", "2")]));
    }
    // Members that are not trained on are in no list, and one alone is only the anchor.
    columns.mask[1] = false;
    columns.mask[3] = false;
    let loss = loss_of("gdro", &[("beta", "1"), ("gamma", "0")])(&columns);
    assert_eq!((loss.logprobs[1], loss.logprobs[3], loss.logprobs[4]), (0.0, 0.0, 0.0));
}

#[test]
fn the_numbers_of_srum_and_ac_flow() {
    let mut columns = ranked(&[0.0; 4], &[0.0; 4]);
    let signals = [
        ("cell_weights", vec![0.56, 0.35, 0.35, 0.35]),
        ("squared_errors", vec![0.1, 0.2, 0.3, 0.4]),
        ("reference_errors", vec![0.2, 0.1, 0.1, 0.2]),
    ];
    columns.signals.extend(signals.map(|(name, values)| (name.to_owned(), values)));
    // The section's lambda is 0.1, and its mean over cells.
    close(loss_of("srum", &[])(&columns).value, 0.10775);
    columns.advantages = vec![0.4, -0.3, 1.0, 0.0];
    let loss = loss_of("ac_flow", &[("beta", "0")])(&columns);
    let weights = [1.491824697641270, 0.740818220681718, 2.718281828459045, 1.0];
    loss.signals["squared_errors"].iter().zip(weights).for_each(|(got, wanted)| close(4.0 * got, wanted));
}

#[test]
fn euphonium_is_the_sum_of_the_losses_of_its_advantages() {
    let columns = batch();
    let dance = |side: &str| {
        let advantages = columns.signals[side].clone();
        loss_of("dance_grpo", &[("clip", "0.1"), ("adv_clip_max", "100")])(&Columns {
            advantages,
            ..columns.clone()
        })
    };
    let (positive, negative) = (dance("positive_advantages"), dance("negative_advantages"));
    let both = loss_of("euphonium", &[("clip", "0.1")])(&columns);
    close(both.value, positive.value + negative.value);
    for t in 0..6 {
        close(both.logprobs[t], positive.logprobs[t] + negative.logprobs[t]);
    }
}

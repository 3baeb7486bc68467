//! What every objective holds: a name, defaults that build, and no gradient where nothing is trained on.

use meed_operators::objectives::preference::Pair;
use meed_operators::objectives::{Columns, Objective};
use serde_json::json;

use super::*;

#[test]
fn names_are_unique_and_every_objective_builds_with_its_defaults() {
    let mut names: Vec<&str> = objectives().map(|objective| objective.name).collect();
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all);
    for objective in objectives() {
        let mut declared: Vec<&str> = objective.declared().iter().map(|p| p.name).collect();
        declared.sort_unstable();
        let count = declared.len();
        declared.dedup();
        assert_eq!(declared.len(), count, "{}: a parameter is declared twice", objective.name);
        let built = objective.with(&[]).unwrap_or_else(|error| panic!("{}: {error}", objective.name));
        assert_eq!(built.name(), objective.name);
        for preset in presets::PRESETS {
            let setting = ("preset".to_owned(), preset.name.into());
            objective
                .with(&[setting])
                .unwrap_or_else(|error| panic!("{} as {}: {error}", objective.name, preset.name));
        }
    }
}

#[test]
fn every_setting_of_a_preset_is_a_parameter_of_some_objective() {
    for preset in presets::PRESETS {
        for (of, name, _) in preset.settings {
            let known = objectives()
                .filter(|objective| *of == "*" || *of == objective.name)
                .any(|objective| objective.declared().iter().any(|parameter| parameter.name == *name));
            assert!(known, "{}: {of} {name}", preset.name);
        }
    }
}

#[test]
fn unknown_names_have_a_hint() {
    let error = find_objective("pppo").expect_err("no such objective");
    assert!(error.hint().contains("ppo_clip"), "{}", error.hint());
}

/// Two rollouts of a group with every column; `missing` is what stands at untrained positions.
fn batch(mask: [bool; 6], missing: f64) -> Columns {
    let column = |values: [f64; 6]| -> Vec<f64> {
        values.iter().zip(mask).map(|(value, on)| if on { *value } else { missing }).collect()
    };
    let mut columns = Columns {
        offsets: vec![0, 4, 6],
        groups: vec![0, 0],
        mask: mask.to_vec(),
        logprobs: column([-1.0, -0.3, -2.0, -0.7, -0.2, -1.5]),
        old_logprobs: Some(column([-1.3, -0.4, -1.2, -0.9, -0.5, -1.1])),
        rollout_logprobs: Some(column([-1.2, -0.5, -1.6, -0.6, -0.3, -1.4])),
        ref_logprobs: Some(column([-1.0, -0.9, -1.1, -1.3, -0.6, -0.8])),
        advantages: column([1.0, 0.0, -0.5, 2.0, -1.0, 0.5]),
        entropies: Some(column([0.3, 1.2, 0.8, 0.1, 0.5, 0.9])),
        values: Some(column([0.1, 0.4, 0.2, 0.9, 0.3, 0.6])),
        old_values: Some(column([0.2, 0.3, 0.5, 0.4, 0.1, 0.7])),
        returns: Some(column([1.0, 0.5, 0.0, 0.8, 0.2, 0.9])),
        rewards: Some(vec![1.0, 0.0]),
        ..Columns::default()
    };
    columns.pairs = vec![Pair::new(0, 1)];
    let whole = [
        ("trajectory", vec![0.0, 1.0]),
        ("reference", vec![0.0, 0.0]),
        ("attribute_logprob", vec![-0.5, -0.8]),
        ("unconditional_logprob", vec![-1.5, -1.2]),
        ("policy_steps", vec![2.0, 1.0]),
        ("scores", vec![0.4, 0.1]),
        // One per token.
        ("turn_ends", mask.map(|on| f64::from(u8::from(on))).to_vec()),
        ("scores", vec![0.3, -0.2]),
        ("gap_better_over_worse", vec![0.9]),
        ("gap_better_over_itself", vec![0.1]),
        ("gap_worse_over_itself", vec![-0.2]),
        ("gap_worse_over_better", vec![-0.7]),
        // One per pair, of which mm_rlhf draws none.
        ("pair_drawn", vec![0.0]),
    ];
    let of_tokens = [
        ("token_rm_logprobs", [-0.9, -0.2, -1.4, -0.6, -0.3, -1.2]),
        ("token_better_logprobs", [-0.8, -0.3, -1.1, -0.7, -0.4, -1.3]),
        ("token_worse_logprobs", [-1.1, -0.2, -1.3, -0.5, -0.6, -1.0]),
        ("sigma", [1.0, 0.8, 0.5, 0.3, 1.0, 0.8]),
        ("next_sigma", [0.8, 0.5, 0.3, 0.0, 0.8, 0.5]),
        ("sde_std", [1.4, 1.2, 0.7, 0.4, 1.4, 1.2]),
        ("mean_shift", [0.02, 0.01, 0.03, 0.02, 0.01, 0.02]),
        ("step_index", [0.0, 1.0, 2.0, 3.0, 0.0, 1.0]),
        ("branches", [3.0, 2.0, 2.0, 1.0, 3.0, 2.0]),
        ("positive_advantages", [1.0, 0.5, 0.0, 2.0, 0.0, 0.5]),
        ("negative_advantages", [0.0, -0.5, -0.5, 0.0, -1.0, 0.0]),
        ("squared_errors", [0.3, 0.1, 0.2, 0.4, 0.5, 0.2]),
        ("reference_errors", [0.1, 0.2, 0.3, 0.2, 0.1, 0.4]),
        ("cell_weights", [0.5, 0.9, 0.2, 0.5, 0.5, 0.1]),
    ];
    columns.signals.extend(whole.map(|(name, values)| (name.to_owned(), values)));
    columns.signals.extend(of_tokens.map(|(name, values)| (name.to_owned(), column(values))));
    columns
}

/// Objectives that the batch has every signal of; those of single methods are tested with batches of their own.
fn read_from_this_batch() -> impl Iterator<Item = &'static NamedObjective> {
    objectives().filter(|objective| !recipes::RECIPES.iter().any(|own| own.name == objective.name))
}

fn check(objective: &dyn Objective, columns: &Columns) {
    let name = objective.name();
    let loss = objective.loss(columns).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(loss.value.is_finite(), "{name}: {}", loss.value);
    let parts = loss.parts.iter().find(|(_, value)| !value.is_finite());
    assert!(parts.is_none(), "{name}: {parts:?}");
    for gradient in
        [Some(&loss.logprobs), loss.entropies.as_ref(), loss.values.as_ref()].into_iter().flatten()
    {
        assert_eq!(gradient.len(), columns.tokens(), "{name}");
        for (t, slope) in gradient.iter().enumerate() {
            assert!(slope.is_finite() && (columns.mask[t] || *slope == 0.0), "{name} at {t}: {slope}");
        }
    }
}

/// Settings that bring in every weight and term that an objective has.
fn everything(objective: &NamedObjective) -> Vec<(String, Value)> {
    let all = [
        (
            "correction",
            json!([
                {"kind": "tis", "upper": 2, "clamp_log_ratio": 20},
                {"kind": "icepop", "level": "geometric", "lower": 0.1, "upper": 10, "batch_normalize": true},
                {"kind": "mask", "statistic": "k3", "level": "max", "upper": 5, "of_kept": true},
                {"kind": "mask", "statistic": "probability", "level": "segment", "lower": -1, "upper": 1},
                {"kind": "total_variation", "upper": 0.2},
                {"kind": "second_moment", "upper": 0.5}
            ]),
        ),
        ("entropy_mask", json!(0.8)),
        ("off_policy_mask", json!({"threshold": 0.05})),
        ("row_weights", json!("shorter")),
        ("kl", json!({"coef": 0.1, "estimator": "k3", "importance": "ratio"})),
        ("entropy_coef", json!(0.01)),
        ("value_coef", json!(0.5)),
        ("value_clip", json!(0.2)),
    ];
    let declared = objective.declared();
    let has = |name: &str| declared.iter().any(|parameter| parameter.name == name);
    all.into_iter().filter(|(name, _)| has(name)).map(|(name, value)| (name.to_owned(), value)).collect()
}

#[test]
fn what_is_not_trained_on_has_no_part_in_any_objective() {
    for objective in read_from_this_batch() {
        for settings in [Vec::new(), everything(objective)] {
            let built = objective.with(&settings).unwrap();
            let mask = [true, true, false, true, true, false];
            check(built.as_ref(), &batch(mask, 0.0));
            let (plain, absent) =
                (built.loss(&batch(mask, 0.0)).unwrap(), built.loss(&batch(mask, f64::NAN)).unwrap());
            assert_eq!(plain, absent, "{}", objective.name);
            check(built.as_ref(), &batch([true, false, true, false, false, false], f64::NAN));
        }
    }
}

#[test]
fn a_batch_without_trainable_tokens_has_loss_0() {
    for objective in read_from_this_batch() {
        let built = objective.with(&everything(objective)).unwrap();
        check(built.as_ref(), &batch([false; 6], f64::NAN));
        // A preference, and a judge, is undecided between rollouts without tokens, which costs log 2.
        let undecided = [preference::PREFERENCE, judges::JUDGES].into_iter().flatten();
        if undecided.into_iter().any(|other| other.name == objective.name) {
            continue;
        }
        assert_eq!(built.loss(&batch([false; 6], f64::NAN)).unwrap().value, 0.0, "{}", objective.name);
    }
}

/// The same batch with its rollouts in another order, and each token's place in it.
fn reordered(columns: &Columns, order: &[usize]) -> (Columns, Vec<usize>) {
    let places: Vec<usize> = order.iter().flat_map(|&row| columns.range(row)).collect();
    let tokens = |column: &Vec<f64>| -> Vec<f64> { places.iter().map(|&t| column[t]).collect() };
    let some = |column: &Option<Vec<f64>>| column.as_ref().map(tokens);
    let rows = |column: &Vec<f64>| -> Vec<f64> { order.iter().map(|&row| column[row]).collect() };
    let mut offsets = vec![0];
    for &row in order {
        offsets.push(offsets[offsets.len() - 1] + columns.range(row).len());
    }
    let moved = Columns {
        offsets,
        groups: order.iter().map(|&row| columns.groups[row]).collect(),
        mask: places.iter().map(|&t| columns.mask[t]).collect(),
        logprobs: tokens(&columns.logprobs),
        old_logprobs: some(&columns.old_logprobs),
        rollout_logprobs: some(&columns.rollout_logprobs),
        ref_logprobs: some(&columns.ref_logprobs),
        advantages: tokens(&columns.advantages),
        entropies: some(&columns.entropies),
        values: some(&columns.values),
        old_values: some(&columns.old_values),
        returns: some(&columns.returns),
        rewards: columns.rewards.as_ref().map(rows),
        signals: columns.signals.iter().map(|(name, column)| (name.clone(), rows(column))).collect(),
        ..Columns::default()
    };
    (moved, places)
}

#[test]
fn the_order_of_rollouts_changes_no_bit() {
    let mut columns = Columns { offsets: vec![0], ..Columns::default() };
    // Irregular numbers, whose plain sums would depend on their order.
    let noise = |t: usize, k: usize| ((t * 37 + k * 101) as f64 * 0.7548776662466927).fract();
    for row in 0..7 {
        let past = columns.offsets[row] + 1 + row % 4;
        columns.offsets.push(past);
        columns.groups.push(row / 3);
    }
    let tokens = columns.offsets[7];
    let column = |k: usize| -> Vec<f64> { (0..tokens).map(|t| -0.05 - noise(t, k)).collect() };
    columns.mask = (0..tokens).map(|t| t % 5 != 3).collect();
    columns.logprobs = column(1);
    columns.old_logprobs = Some(column(2));
    columns.rollout_logprobs = Some(column(3));
    columns.ref_logprobs = Some(column(4));
    columns.advantages = column(5).iter().map(|x| x + 0.5).collect();
    columns.entropies = Some(column(6).iter().map(|x| -x).collect());
    columns.values = Some(column(7));
    columns.old_values = Some(column(8));
    columns.returns = Some(column(9));
    columns.rewards = Some((0..7).map(|row| (row % 2) as f64).collect());
    columns.signals.insert("trajectory".into(), (0..7).map(|row| (row / 2) as f64).collect());
    let (moved, places) = reordered(&columns, &[4, 0, 6, 2, 5, 1, 3]);
    let modes = ["token_mean", "seq_mean_token_mean", "group_mean_token_mean", "trajectory_mean_token_mean"];
    for objective in policy::POLICY {
        for mode in modes {
            let mut settings = everything(objective);
            if objective.declared().iter().any(|parameter| parameter.name == "aggregate") {
                settings.push(("aggregate".into(), json!(mode)));
            }
            let built = objective.with(&settings).unwrap();
            let (there, here) = (built.loss(&columns).unwrap(), built.loss(&moved).unwrap());
            assert_eq!(there.value, here.value, "{} {mode}", objective.name);
            assert_eq!(there.parts, here.parts, "{} {mode}", objective.name);
            let of = |gradient: &[f64]| -> Vec<f64> { places.iter().map(|&t| gradient[t]).collect() };
            assert_eq!(of(&there.logprobs), here.logprobs, "{} {mode}", objective.name);
            assert_eq!(there.values.as_deref().map(of), here.values, "{} {mode}", objective.name);
            assert_eq!(there.entropies.as_deref().map(of), here.entropies, "{} {mode}", objective.name);
        }
    }
}

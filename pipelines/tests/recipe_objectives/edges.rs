//! What every objective holds: nothing to train on is no loss, what is not trained on has no part, and the
//! order of rollouts changes no bit.

use std::ops::Range;

use meed_operators::objectives::{Columns, Loss};
use meed_pipelines::objectives::recipes::RECIPES;

use crate::differences::{loss, noise, objective};

/// How many values a signal has.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Level {
    Rollout,
    Step,
    Token,
    /// Three per token.
    Heads,
}

/// Every signal that one of the objectives reads, or may read.
const SIGNALS: &[(&str, Level)] = &[
    ("hinted", Level::Rollout),
    ("question", Level::Rollout),
    ("step_rewards", Level::Step),
    ("step_dones", Level::Step),
    ("step_q1", Level::Step),
    ("step_q2", Level::Step),
    ("step_v1", Level::Step),
    ("step_v2", Level::Step),
    ("step_target_q1", Level::Step),
    ("step_target_q2", Level::Step),
    ("step_target_next_v1", Level::Step),
    ("step_target_next_v2", Level::Step),
    ("step_pi_q1", Level::Step),
    ("step_pi_q2", Level::Step),
    ("step_viability", Level::Step),
    ("step_next_viability", Level::Step),
    ("step_efficiency", Level::Step),
    ("step_next_efficiency", Level::Step),
    ("step_autonomous", Level::Step),
    ("step_progress_deltas", Level::Step),
    ("step_proxy_rewards", Level::Step),
    ("step_chunk_logits", Level::Step),
    ("step_chunk_targets", Level::Step),
    ("step_action_logits", Level::Step),
    ("step_action_targets", Level::Step),
    ("step_value_logits", Level::Step),
    ("first_scores", Level::Rollout),
    ("second_scores", Level::Rollout),
    ("preference", Level::Rollout),
    ("token_baselines", Level::Token),
    ("token_clip_scales", Level::Token),
    ("token_is_answer", Level::Token),
    ("token_rm_logits", Level::Token),
    ("token_head_values", Level::Heads),
    ("token_old_head_values", Level::Heads),
    ("token_head_returns", Level::Heads),
];

/// Seven rollouts in three groups, with every column and signal. `missing` is what stands at tokens that are
/// not trained on.
fn complete(masked: bool, missing: f64) -> Columns {
    let lengths = [5, 3, 8, 1, 6, 4, 7];
    let (mut offsets, mut steps) = (vec![0_usize], vec![0]);
    for length in lengths {
        let first = offsets[offsets.len() - 1];
        steps.extend((first + 2..first + length).step_by(2));
        steps.push(first + length);
        offsets.push(first + length);
    }
    let tokens = offsets[offsets.len() - 1];
    // Steps of two tokens, the second of every two steps that of an environment.
    let mask: Vec<bool> = (0..tokens)
        .map(|t| {
            let row = offsets.partition_point(|&offset| offset <= t) - 1;
            !masked && ((t - offsets[row]) / 2).is_multiple_of(2)
        })
        .collect();
    let values = |salt: u32, count: usize| -> Vec<f64> {
        let values = noise(salt, count);
        if count != tokens {
            return values;
        }
        values.into_iter().zip(&mask).map(|(x, on)| if *on { x } else { missing }).collect()
    };
    let logprobs = |salt: u32| -> Vec<f64> { values(salt, tokens).iter().map(|x| 0.6 * x - 0.8).collect() };
    let positive = |salt: u32| -> Vec<f64> { values(salt, tokens).iter().map(|x| 0.5 * x + 0.6).collect() };
    let mut columns = Columns {
        groups: vec![0, 0, 0, 1, 1, 2, 2],
        logprobs: logprobs(1),
        old_logprobs: Some(logprobs(2)),
        rollout_logprobs: Some(logprobs(3)),
        ref_logprobs: Some(logprobs(4)),
        advantages: values(5, tokens),
        entropies: Some(positive(6)),
        values: Some(values(7, tokens)),
        old_values: Some(values(8, tokens)),
        returns: Some(values(9, tokens)),
        rewards: Some(vec![1.0, -1.0, 0.5, -0.5, 0.7, 0.9, -0.1]),
        ..Columns::default()
    };
    for (salt, (name, level)) in SIGNALS.iter().enumerate() {
        let count = match level {
            Level::Rollout => 7,
            Level::Step => steps.len() - 1,
            Level::Token => tokens,
            Level::Heads => 3 * tokens,
        };
        columns.signals.insert((*name).to_owned(), values(100 + salt as u32, count));
    }
    columns.signals.insert("hinted".into(), vec![1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0]);
    columns.signals.insert("question".into(), vec![0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0]);
    let flags =
        |count: usize, every: usize| (0..count).map(|i| f64::from(u8::from(i % every == 0))).collect();
    columns.signals.insert("step_dones".into(), flags(steps.len() - 1, 3));
    columns.signals.insert("step_autonomous".into(), flags(steps.len() - 1, 2));
    Columns { offsets, steps: Some(steps), mask, ..columns }
}

/// All numbers of a loss.
fn numbers(loss: &Loss) -> Vec<f64> {
    let gradients = [Some(&loss.logprobs), loss.entropies.as_ref(), loss.values.as_ref()];
    let lists = gradients.into_iter().flatten().chain(loss.signals.values());
    lists.flatten().copied().chain(loss.parts.values().copied()).chain([loss.value]).collect()
}

#[test]
fn what_is_not_trained_on_has_no_part() {
    for named in RECIPES {
        let of = |missing: f64| {
            let mut columns = complete(false, missing);
            // Steps of the environment carry what they carry.
            columns.signals.retain(|name, _| !name.starts_with("token_head") || missing == 0.0);
            if missing != 0.0 {
                let heads = complete(false, 0.0).signals;
                columns.signals.extend(heads.into_iter().filter(|(name, _)| name.contains("head")));
            }
            loss(objective(named.name, &[]).as_ref(), &columns)
        };
        let (plain, absent) = (of(0.0), of(f64::NAN));
        assert!(numbers(&plain).into_iter().all(f64::is_finite), "{}", named.name);
        if named.name != "guide" {
            assert_eq!(plain, absent, "{}", named.name);
        }
        assert!(numbers(&absent).into_iter().all(f64::is_finite), "{}", named.name);
        let mask = complete(false, 0.0).mask;
        for (slope, on) in plain.logprobs.iter().zip(mask) {
            assert!(on || *slope == 0.0, "{}", named.name);
        }
    }
}

#[test]
fn nothing_to_train_on_is_no_loss() {
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
    empty.signals = SIGNALS.iter().map(|(name, _)| ((*name).to_owned(), Vec::new())).collect();
    for named in RECIPES {
        for (what, columns) in [("masked", &complete(true, 0.0)), ("empty", &empty)] {
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

/// Positions that a new order of rollouts takes elements from, where rollout `i` has those of `ranges[i]`.
fn places(order: &[usize], ranges: &[Range<usize>]) -> Vec<usize> {
    order.iter().flat_map(|&row| ranges[row].clone()).collect()
}

#[test]
fn the_order_of_rollouts_changes_no_bit() {
    let columns = complete(false, 0.0);
    let order = [4, 0, 6, 2, 5, 1, 3];
    let ends = columns.steps.clone().unwrap();
    let tokens: Vec<Range<usize>> = columns.ranges().collect();
    let at = |token: usize| ends[..ends.len() - 1].partition_point(|&start| start < token);
    let steps: Vec<Range<usize>> = tokens.iter().map(|range| at(range.start)..at(range.end)).collect();
    let heads: Vec<Range<usize>> = tokens.iter().map(|range| 3 * range.start..3 * range.end).collect();
    let rows: Vec<Range<usize>> = (0..7).map(|row| row..row + 1).collect();
    let of = |level: Level| match level {
        Level::Rollout => places(&order, &rows),
        Level::Step => places(&order, &steps),
        Level::Token => places(&order, &tokens),
        Level::Heads => places(&order, &heads),
    };
    let level_of = |name: &str, count: usize| {
        SIGNALS
            .iter()
            .find(|(known, _)| *known == name)
            .map_or(if count == 7 { Level::Rollout } else { Level::Token }, |(_, level)| *level)
    };
    let moved = |list: &[f64], level: Level| -> Vec<f64> { of(level).iter().map(|&i| list[i]).collect() };
    let some = |list: &Option<Vec<f64>>| list.as_ref().map(|list| moved(list, Level::Token));
    let (mut offsets, mut new_steps) = (vec![0], vec![0]);
    for &row in &order {
        let shift = offsets[offsets.len() - 1];
        new_steps.extend(steps[row].clone().map(|step| shift + ends[step + 1] - tokens[row].start));
        offsets.push(shift + tokens[row].len());
    }
    let there = Columns {
        offsets,
        steps: Some(new_steps),
        groups: order.iter().map(|&row| columns.groups[row]).collect(),
        mask: of(Level::Token).iter().map(|&t| columns.mask[t]).collect(),
        logprobs: moved(&columns.logprobs, Level::Token),
        old_logprobs: some(&columns.old_logprobs),
        rollout_logprobs: some(&columns.rollout_logprobs),
        ref_logprobs: some(&columns.ref_logprobs),
        advantages: moved(&columns.advantages, Level::Token),
        entropies: some(&columns.entropies),
        values: some(&columns.values),
        old_values: some(&columns.old_values),
        returns: some(&columns.returns),
        rewards: columns.rewards.as_ref().map(|list| moved(list, Level::Rollout)),
        signals: columns
            .signals
            .iter()
            .map(|(name, list)| (name.clone(), moved(list, level_of(name, list.len()))))
            .collect(),
        ..Columns::default()
    };
    for named in RECIPES {
        for settings in [Vec::new(), vec![("aggregate", "seq_mean_token_mean")], vec![("form", "paft")]] {
            let declared = named.declared();
            if settings.iter().any(|(name, _)| !declared.iter().any(|known| known.name == *name)) {
                continue;
            }
            let settings: Vec<_> = settings.into_iter().map(|(name, value)| (name, value.into())).collect();
            let objective = objective(named.name, &settings);
            let (before, after) = (loss(objective.as_ref(), &columns), loss(objective.as_ref(), &there));
            assert_eq!((before.value, &before.parts), (after.value, &after.parts), "{}", named.name);
            assert_eq!(moved(&before.logprobs, Level::Token), after.logprobs, "{}", named.name);
            assert_eq!(some(&before.entropies), after.entropies, "{}", named.name);
            assert_eq!(some(&before.values), after.values, "{}", named.name);
            for (name, list) in &before.signals {
                let level = level_of(name, list.len());
                assert_eq!(moved(list, level), after.signals[name], "{}: {name}", named.name);
            }
        }
    }
}

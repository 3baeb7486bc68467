//! Truncated step-level sampling: candidates from one prefix, of which one goes on.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use meed_operators::policy::Characters;
use meed_operators::sample::strategy::Slate;
use meed_operators::sample::{EpisodeReward, History, Sampler};

use super::environments::{self, Countdowns};
use super::fakes::{
    Dice, Rule, check_rows, flag, integer, integers, joined, prompts, rewards, sample, sample_with, text,
};

fn slate(temperature: f64) -> Arc<Slate> {
    Arc::new(Slate { budget: 4, temperature, step_end: Some(";".into()) })
}

fn sampler(temperature: f64) -> Sampler {
    Sampler { strategy: slate(temperature), max_turn_tokens: 12, ..Sampler::new(Arc::new(Characters), 5, 60) }
}

/// Rows of a question's step.
fn step(rows: &RecordBatch, question: &str, step: i64) -> Vec<usize> {
    let of = |row: &usize| {
        text(rows, "question_id", *row).as_deref() == Some(question)
            && integer(rows, "step_index", *row) == Some(step)
    };
    (0..rows.num_rows()).filter(of).collect()
}

#[test]
fn one_candidate_of_each_step_goes_on() {
    let tasks = prompts(6);
    let sampler = sampler(0.7);
    let policy = || Dice::new(40, "abc;");
    let sampled = sample(&sampler, policy(), &tasks);
    let rows = &sampled.rollouts;
    check_rows(rows);
    let mut went_on = 0;
    for task in &tasks {
        for number in 0..4 {
            let members = step(rows, &task.group_id, number);
            let Some(&first) = members.first() else {
                continue;
            };
            assert_eq!(members.len(), 5);
            let selected: Vec<usize> =
                members.iter().copied().filter(|row| flag(rows, "selected", *row) == Some(true)).collect();
            assert_eq!(selected.len(), 1);
            let prompt = text(rows, "prompt", first);
            for &row in &members {
                assert_eq!(text(rows, "prompt", row), prompt);
                assert_eq!(text(rows, "group_id", row), Some(format!("{}/step-{number}", task.group_id)));
                let said = text(rows, "response", row).unwrap();
                assert_eq!(
                    said.find(';').unwrap_or(said.len().max(1) - 1),
                    said.len().max(1) - 1,
                    "`{said}`"
                );
            }
            let next = step(rows, &task.group_id, number + 1);
            match (text(rows, "trajectory_status", selected[0]), next.first()) {
                (None, Some(&next)) => {
                    let said = text(rows, "response", selected[0]).unwrap();
                    assert_eq!(text(rows, "prompt", next), prompt.map(|prompt| prompt + &said));
                    went_on += 1;
                }
                (Some(status), None) => {
                    let ended = integers(rows, "token_ids", selected[0]).last() == Some(&0);
                    assert_eq!(status, if ended { "complete" } else { "truncated" });
                }
                (status, _) => panic!("{status:?}"),
            }
        }
    }
    assert!(went_on > 8, "{went_on}");
    let parts: Vec<_> = tasks.chunks(4).map(|part| sample(&sampler, policy(), part).rollouts).collect();
    assert_eq!(joined(&parts), *rows);

    let nodes = sampled.nodes.unwrap();
    let visits = nodes.column_by_name("visits").unwrap().as_primitive::<Int64Type>();
    let roots: Vec<i64> = (0..nodes.num_rows())
        .filter(|row| nodes.column_by_name("parent_id").unwrap().is_null(*row))
        .map(|row| visits.value(row))
        .collect();
    assert_eq!(roots.iter().sum::<i64>(), rows.num_rows() as i64);
    assert_eq!(nodes.num_rows(), rows.num_rows() + tasks.len());
}

#[test]
fn the_best_goes_on_at_temperature_0_and_unknown_rewards_never_do() {
    let judge = Rule(|_, response| (!response.contains('a')).then_some(response.len() as f64));
    let policy = Dice::new(40, "abc;");
    let rows = sample_with(&sampler(0.0), policy, &prompts(8), &judge, &History::default()).unwrap().rollouts;
    let mut stopped = 0;
    for task in prompts(8) {
        for number in 0..4 {
            let members = step(&rows, &task.group_id, number);
            let best = members.iter().filter_map(|row| rewards(&rows)[*row]).reduce(f64::max);
            let selected = members.iter().find(|row| flag(&rows, "selected", **row) == Some(true));
            assert_eq!(selected.and_then(|row| rewards(&rows)[*row]), best);
            stopped += usize::from(!members.is_empty() && best.is_none());
        }
    }
    assert!(stopped > 0);
}

#[test]
fn the_selected_step_is_answered_by_the_environment() {
    let environments = Countdowns { from: 3, turn_end: Some("!?"), max_turns: 10 };
    let sampler =
        Sampler { strategy: slate(0.7), group_size: 4, ..environments::sampler(environments, 1000) };
    let judge = Rule(|_, response| Some(response.len() as f64));
    let policy = Dice::new(100_000, "ab!?");
    let rows = sample_with(&sampler, policy, &prompts(3), &judge, &History::default()).unwrap().rollouts;
    check_rows(&rows);
    assert_eq!(rows.num_rows(), 3 * 3 * 4);
    for row in 0..rows.num_rows() {
        let last = integer(&rows, "step_index", row) == Some(2) && flag(&rows, "selected", row) == Some(true);
        assert_eq!(text(&rows, "trajectory_status", row), last.then(|| "complete".to_owned()));
        if integer(&rows, "step_index", row) == Some(1) {
            assert!(text(&rows, "prompt", row).unwrap().ends_with(']'));
        }
    }
    // Nothing rewards the candidates of an environment but a judge.
    let unjudged =
        sample_with(&sampler, Dice::new(9, "ab"), &prompts(1), &EpisodeReward, &History::default());
    let unjudged = unjudged.unwrap().rollouts;
    assert!(rewards(&unjudged).iter().all(Option::is_none));
}

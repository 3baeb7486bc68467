//! Strategies that decide by rewards how much is sampled: knapsack, refill, guide.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use meed_operators::policy::Characters;
use meed_operators::sample::strategy::{AccuracyFilter, Guide, Knapsack, PromptSource, Refill};
use meed_operators::sample::{History, Prompt, Sampler, Strategy, strategy::Independent};

use super::fakes::{
    Dice, Rule, Script, check_rows, even, flag, joined, prompts, rewards, sample, sample_with, text, texts,
};

fn sampler(strategy: impl Strategy + 'static, group_size: usize) -> Sampler {
    Sampler { strategy: Arc::new(strategy), ..Sampler::new(Arc::new(Characters), group_size, 40) }
}

fn groups(rows: &RecordBatch) -> Vec<String> {
    let mut groups: Vec<String> = texts(rows, "group_id").into_iter().flatten().collect();
    groups.dedup();
    groups
}

fn of_group(rows: &RecordBatch, group: &str) -> Vec<usize> {
    (0..rows.num_rows()).filter(|row| text(rows, "group_id", *row).as_deref() == Some(group)).collect()
}

#[test]
fn knapsack_spends_the_budget_by_history() {
    let tasks = prompts(4);
    let mut history = History::default();
    let judge = Rule(|prompt, response| match prompt {
        "Q0: " => Some(0.0),
        "Q1: " => Some(1.0),
        _ => even("", response),
    });
    let uniform = sampler(Knapsack::default(), 8);
    let first = sample_with(&uniform, Dice::new(6, "ab"), &tasks, &judge, &history).unwrap().rollouts;
    assert!(tasks.iter().all(|task| of_group(&first, &task.group_id).len() == 8));
    history.record(&first).unwrap();
    assert_eq!((history.success_rate("task-0"), history.success_rate("task-1")), (Some(0.0), Some(1.0)));
    let saved: History = serde_json::from_str(&serde_json::to_string(&history).unwrap()).unwrap();
    assert_eq!(saved, history);
    let second = sample_with(&uniform, Dice::new(6, "ab"), &tasks, &judge, &history).unwrap().rollouts;
    assert_eq!(second.num_rows(), 32);
    check_rows(&second);
    let sizes: Vec<usize> = tasks.iter().map(|task| of_group(&second, &task.group_id).len()).collect();
    assert_eq!(sizes[..2], [2, 2]);
    assert_eq!(sizes[2] + sizes[3], 28);
}

/// Prompts 0 and 1 of every ten are never solved, 2 is always; the rest by the response.
fn uneven(prompt: &str, response: &str) -> Option<f64> {
    match prompt.trim_start_matches('Q').split(':').next().unwrap().parse::<u64>().unwrap() % 10 {
        0 | 1 => Some(0.0),
        2 => Some(1.0),
        _ => even("", response),
    }
}

/// The replacement of prompt `i` in round `r` is prompt `i + 101 r`.
fn later() -> Arc<PromptSource> {
    Arc::new(|_, prompt: &Prompt, round| {
        let number: usize = prompt.group_id.trim_start_matches("task-").parse().unwrap();
        prompts(number + 101 + 1).pop().filter(|_| round < 4)
    })
}

fn refill(rounds: usize) -> Refill {
    Refill { inner: Arc::new(Independent), signal: "reward".into(), rounds, source: later() }
}

#[test]
fn refill_replaces_groups_without_variance() {
    let tasks = prompts(10);
    let judge = Rule(uneven);
    let sampler = sampler(refill(3), 6);
    let ask = |tasks: &[Prompt]| {
        sample_with(&sampler, Dice::new(6, "abcdef"), tasks, &judge, &History::default()).unwrap()
    };
    let sampled = ask(&tasks);
    let (rows, dropped) = (&sampled.rollouts, sampled.dropped.as_ref().unwrap());
    check_rows(rows);
    let kept = groups(rows);
    assert_eq!(kept.len(), 10, "{kept:?}");
    let replaced = kept.iter().filter(|group| group.len() > "task-9".len());
    assert!(replaced.count() >= 3);
    for group in &kept {
        let values: Vec<_> = of_group(rows, group).into_iter().map(|row| rewards(rows)[row]).collect();
        assert_eq!(values.len(), 6);
        assert!(values.iter().any(|value| *value != values[0]));
    }
    for group in groups(dropped) {
        let values: Vec<_> = of_group(dropped, &group).into_iter().map(|row| rewards(dropped)[row]).collect();
        assert!(values.iter().all(|value| *value == values[0]));
    }
    assert!(groups(dropped).len() >= 3);
    // Every prompt has replacements of its own, so cutting the request changes nothing.
    let parts: Vec<_> = tasks.chunks(4).map(|part| ask(part).rollouts).collect();
    let said = |rows: &RecordBatch| -> BTreeMap<_, _> {
        texts(rows, "rollout_id").into_iter().zip(texts(rows, "response")).collect()
    };
    assert_eq!(said(&joined(&parts)), said(rows));
}

#[test]
fn refill_stops_after_its_rounds() {
    let judge = Rule(|_, _| Some(1.0));
    for (rounds, tried) in [(0, 1), (2, 3), (9, 4)] {
        let sampler = sampler(refill(rounds), 3);
        let policy = Dice::new(6, "ab");
        let sampled = sample_with(&sampler, policy, &prompts(2), &judge, &History::default()).unwrap();
        assert_eq!(sampled.rollouts.num_rows(), 0);
        assert_eq!(sampled.dropped.unwrap().num_rows(), 2 * 3 * tried, "{rounds}");
    }
    let same: Arc<PromptSource> = Arc::new(|_, prompt: &Prompt, _| Some(prompt.clone()));
    let sampler = sampler(Refill { source: same, ..refill(2) }, 3);
    let refused = sample_with(&sampler, Dice::new(6, "ab"), &prompts(2), &judge, &History::default());
    assert!(refused.unwrap_err().to_string().contains("task-0 twice"));
}

/// Solves odd prompts by luck, and even ones only with a hint.
fn needs_hints(context: &str, draw: u32) -> String {
    let number = context.chars().find(char::is_ascii_digit).unwrap().to_digit(10).unwrap();
    let can = number % 2 == 1 || context.contains("Hint");
    if can && draw.is_multiple_of(2) { "right".into() } else { format!("wrong{}", draw % 5) }
}

#[test]
fn guide_hints_where_all_failed() {
    let judge = Rule(|_, response| Some(f64::from(u8::from(response == "right"))));
    let hint = |prompt: &Prompt| (prompt.group_id != "task-4").then(|| format!("Hint {}", prompt.text));
    let guide = Guide { hint: Arc::new(hint), filter: AccuracyFilter::default() };
    let sampler = sampler(guide, 8);
    let tasks = prompts(8);
    let ask = |tasks: &[Prompt]| {
        sample_with(&sampler, Arc::new(Script(needs_hints)), tasks, &judge, &History::default()).unwrap()
    };
    let sampled = ask(&tasks);
    let (rows, dropped) = (&sampled.rollouts, sampled.dropped.as_ref().unwrap());
    check_rows(rows);
    check_rows(dropped);
    let mut rescued = 0;
    for row in 0..rows.num_rows() {
        let number: u64 = text(rows, "reference", row).unwrap().parse().unwrap();
        let hinted = flag(rows, "hinted", row).unwrap();
        assert_eq!(hinted, number.is_multiple_of(2));
        assert_eq!(text(rows, "prompt", row), Some(format!("Q{number}: ")));
        assert_eq!(text(rows, "metadata", row).unwrap().contains(r#""seen":"Hint Q"#), hinted);
        let id: u64 = text(rows, "rollout_id", row).unwrap().rsplit_once('/').unwrap().1.parse().unwrap();
        assert_eq!(id >= 8, hinted);
        rescued += usize::from(hinted);
    }
    assert_eq!(rescued, 3 * 8);
    assert!(groups(rows).iter().all(|group| of_group(rows, group).len() == 8 && group != "task-4"));
    assert_eq!(of_group(dropped, "task-4").len(), 8);
    assert_eq!(of_group(dropped, "task-0").len(), 8);
    let parts: Vec<_> = tasks.chunks(3).map(|part| ask(part).rollouts).collect();
    assert_eq!(joined(&parts), *rows);
}

#[test]
fn strategies_compose() {
    let hint = Arc::new(|prompt: &Prompt| Some(format!("Hint {}", prompt.text)));
    let inner = Arc::new(Guide { hint, filter: AccuracyFilter::default() });
    let sampler = sampler(Refill { inner, ..refill(2) }, 4);
    let rows = sample(&sampler, Dice::new(6, "abcdef"), &prompts(4)).rollouts;
    assert_eq!(groups(&rows).len(), 4);
}

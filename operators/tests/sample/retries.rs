//! R3L on a walk that can be repeated: retries share the turns before the pivot.

use std::sync::Arc;

use async_trait::async_trait;
use meed_operators::Result;
use meed_operators::policy::Characters;
use meed_operators::sample::strategy::RetryFromPivot;
use meed_operators::sample::{
    Environment, Environments, Episode, EpisodeReward, History, Prompt, Reset, Sampled, Sampler, Transition,
};

use super::fakes::{
    Script, check_rows, flags, floats, integer, integers, joined, mask, prompts, rewards, sample_with, text,
    texts,
};

/// Three doors; the right one is `r` each time. Answers differ between copies where it is `fickle`.
struct Doors {
    turn: usize,
    right: usize,
    fickle: Option<usize>,
}

#[async_trait]
impl Environment for Doors {
    async fn reset(&mut self) -> Result<Reset> {
        Ok(Reset { observation: "door 0>".into(), state: None })
    }

    async fn step(&mut self, turn: &str) -> Result<Transition> {
        self.turn += 1;
        self.right += usize::from(turn == "r");
        let done = self.turn == 3;
        Ok(Transition {
            observation: format!(
                "door {}{}>",
                self.turn,
                self.fickle.map_or(String::new(), |it| it.to_string())
            ),
            reward: done.then_some(self.right as f64 / 3.0),
            done,
            ..Transition::default()
        })
    }
}

struct House {
    fickle: bool,
    made: std::sync::atomic::AtomicUsize,
}

impl Environments for House {
    fn make(&self, _: &Prompt) -> Result<Box<dyn Environment>> {
        let made = self.made.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Ok(Box::new(Doors { turn: 0, right: 0, fickle: self.fickle.then_some(made) }))
    }

    fn max_turns(&self) -> usize {
        5
    }
}

/// Goes right with even draws; guided, always. Reflects by naming the first wrong turn.
fn walker(context: &str, draw: u32) -> String {
    if let Some(said) = context.strip_prefix("Reflect: ") {
        let turns: Vec<&str> = said.split(',').filter(|turn| !turn.is_empty()).collect();
        return match turns.iter().position(|turn| *turn != "r") {
            Some(turn) => format!(r#"I see. {{"outcome": "failure", "retry_from_step": {turn}}}"#),
            None => r#"{"outcome": "success", "retry_from_step": null}"#.into(),
        };
    }
    if draw.is_multiple_of(2) || context.starts_with("Guided") { "r".into() } else { "l".into() }
}

fn sampler(fickle: bool) -> Sampler {
    let transcript = |_: &Prompt, episode: &Episode, _: Option<f64>| {
        let turns = episode.steps.iter().filter(|step| step.policy).filter_map(|step| step.text.clone());
        format!("Reflect: {}", turns.collect::<Vec<_>>().join(","))
    };
    let guided = |prompt: &Prompt, _: &str| format!("Guided {}", prompt.text);
    Sampler {
        strategy: Arc::new(RetryFromPivot {
            reflection_prompt: Arc::new(transcript),
            guided_prompt: Arc::new(guided),
        }),
        environments: Some(Arc::new(House { fickle, made: Default::default() })),
        ..Sampler::new(Arc::new(Characters), 8, 200)
    }
}

fn walk(sampler: &Sampler, tasks: &[Prompt]) -> Sampled {
    sample_with(sampler, Arc::new(Script(walker)), tasks, &EpisodeReward, &History::default()).unwrap()
}

#[test]
fn retries_share_the_turns_before_the_pivot() {
    let tasks = prompts(6);
    let sampled = walk(&sampler(false), &tasks);
    let rows = &sampled.rollouts;
    check_rows(rows);
    assert_eq!(sampled.dropped.as_ref().unwrap().num_rows(), 0);
    let (ids, kinds) = (texts(rows, "rollout_id"), texts(rows, "kind"));
    let count = |kind: &str| kinds.iter().filter(|it| it.as_deref() == Some(kind)).count();
    assert_eq!(count("base"), 24);
    assert!(count("retry") > 10 && count("retry") < 24);
    // Guided walkers always go right, so every retry is a full success and better than its base.
    assert_eq!(count("guided_retry"), count("retry"));
    assert_eq!(count("reflection"), 24);
    for (row, kind) in kinds.iter().enumerate() {
        let ends = integers(rows, "step_ends", row);
        match kind.as_deref().unwrap() {
            "retry" => {
                let parent = text(rows, "parent_rollout_id", row);
                let base = ids.iter().position(|id| *id == parent).unwrap();
                let pivot = integer(rows, "retry_from_step", row).unwrap() as usize;
                let shared = ends[2 * pivot] as usize;
                for name in ["token_rollout_logprobs", "token_entropies"] {
                    assert_eq!(floats(rows, name, row)[..shared], floats(rows, name, base)[..shared]);
                }
                for row in [row, base] {
                    let (trained, mask) = (flags(rows, "token_train_mask", row), mask(rows, row));
                    assert_eq!(trained.iter().position(|it| *it), Some(shared));
                    assert_eq!(trained[shared..], mask[shared..]);
                }
                assert_eq!(text(rows, "group_id", row), text(rows, "group_id", base));
                assert_eq!(rewards(rows)[row], Some(1.0));
                assert!(rewards(rows)[base] < Some(1.0));
                assert!(text(rows, "prompt", row).unwrap().starts_with('Q'));
            }
            "guided_retry" => {
                assert!(text(rows, "prompt", row).unwrap().starts_with("Guided Q"));
                assert!(text(rows, "group_id", row).unwrap().contains("/guided-"));
                assert_eq!(rewards(rows)[row], Some(1.0));
            }
            "reflection" => {
                assert!(text(rows, "prompt", row).unwrap().starts_with("Reflect: "));
                assert!(text(rows, "group_id", row).unwrap().contains("/reflect-"));
                assert_eq!(ends.len(), 1);
            }
            _ => assert_eq!(ends.len(), 7),
        }
    }
    let parts: Vec<_> = tasks.chunks(4).map(|part| walk(&sampler(false), part).rollouts).collect();
    assert_eq!(joined(&parts), *rows);
}

#[test]
fn retries_that_cannot_be_repeated_are_dropped() {
    let sampled = walk(&sampler(true), &prompts(3));
    let (rows, dropped) = (&sampled.rollouts, sampled.dropped.unwrap());
    // Where the pivot is the first turn nothing but the greeting is repeated.
    assert!(dropped.num_rows() > 0);
    for row in 0..dropped.num_rows() {
        assert_eq!(text(&dropped, "kind", row).as_deref(), Some("retry"));
        assert_eq!((text(&dropped, "status", row).as_deref(), rewards(&dropped)[row]), (Some("error"), None));
        assert_eq!(
            text(&dropped, "reward_status", row).as_deref(),
            Some("the environment did not answer the shared turns as before")
        );
        let base = text(&dropped, "parent_rollout_id", row);
        let base = texts(rows, "rollout_id").iter().position(|id| *id == base).unwrap();
        assert_eq!(flags(rows, "token_train_mask", base), mask(rows, base));
    }
    let retries = texts(rows, "kind").iter().filter(|kind| kind.as_deref() == Some("retry")).count();
    assert!(
        (0..rows.num_rows()).all(|row| integer(rows, "retry_from_step", row).is_none_or(|pivot| pivot == 0))
    );
    assert!(retries > 0);
}

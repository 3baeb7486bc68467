//! Turns in an environment: masks, steps, limits, and environments that hang, fail or break.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use meed_operators::policy::Characters;
use meed_operators::sample::{
    Environment, Environments, EpisodeReward, History, Prompt, Reset, Sampler, Transition,
};
use meed_operators::{Error, Result};

use super::fakes::{
    Dice, check_rows, doubles, floats, integers, joined, mask, prompts, rewards, sample, sample_with,
    step_texts, text, texts,
};

/// Counts down from 3 and ends; says the number of characters of each turn.
pub struct Countdown {
    pub left: usize,
    pub turns: usize,
}

#[async_trait]
impl Environment for Countdown {
    async fn reset(&mut self) -> Result<Reset> {
        Ok(Reset { observation: "go>".into(), state: Some(format!("left {}", self.left)) })
    }

    async fn step(&mut self, turn: &str) -> Result<Transition> {
        self.left -= 1;
        self.turns += 1;
        let done = self.left == 0;
        Ok(Transition {
            observation: if done { String::new() } else { format!("[{}]", turn.len()) },
            reward: Some(turn.len() as f64),
            done,
            state: Some(format!("left {}", self.left)),
            action: turn.chars().next().map(String::from),
        })
    }
}

pub struct Countdowns {
    pub from: usize,
    pub turn_end: Option<&'static str>,
    pub max_turns: usize,
}

impl Environments for Countdowns {
    fn make(&self, _: &Prompt) -> Result<Box<dyn Environment>> {
        Ok(Box::new(Countdown { left: self.from, turns: 0 }))
    }

    fn turn_end(&self) -> Option<&str> {
        self.turn_end
    }

    fn max_turns(&self) -> usize {
        self.max_turns
    }
}

pub fn sampler(environments: impl Environments + 'static, max_tokens: usize) -> Sampler {
    let sampler = Sampler::new(Arc::new(Characters), 4, max_tokens);
    Sampler { environments: Some(Arc::new(environments)), max_turn_tokens: 40, ..sampler }
}

#[test]
fn turns_and_observations_alternate() {
    let sampler = sampler(Countdowns { from: 3, turn_end: Some("!?"), max_turns: 10 }, 1000);
    let policy = Dice::new(100_000, "ab!?");
    let rows =
        sample_with(&sampler, policy, &prompts(5), &EpisodeReward, &History::default()).unwrap().rollouts;
    check_rows(&rows);
    let mut shortened = 0;
    for row in 0..rows.num_rows() {
        assert_eq!(text(&rows, "status", row).as_deref(), Some("complete"));
        let kinds: Vec<String> = step_texts(&rows, "step_kinds", row).into_iter().flatten().collect();
        assert_eq!(kinds, ["observation", "policy", "observation", "policy", "observation", "policy"]);
        assert_eq!(integers(&rows, "step_turns", row), [0, 0, 0, 1, 1, 2]);
        let states = step_texts(&rows, "step_states", row);
        let named = |left: &str| Some(format!("left {left}"));
        assert_eq!(states, [None, named("3"), None, named("2"), None, named("1")]);
        let (said, actions) = (step_texts(&rows, "step_texts", row), step_texts(&rows, "step_actions", row));
        let given = doubles(&rows, "step_rewards", row);
        let mut sum = 0.0;
        for step in [1, 3, 5] {
            let turn = said[step].clone().unwrap();
            assert_eq!(turn.find("!?").map_or(40, |at| at + 2), turn.len(), "`{turn}`");
            shortened += usize::from(turn.len() < 40);
            assert_eq!(given[step], Some(turn.len() as f64));
            assert_eq!(actions[step].as_deref(), Some(&turn[..1]));
            if step < 5 {
                assert_eq!(said[step + 1], Some(format!("[{}]", turn.len())));
            }
            sum += turn.len() as f64;
        }
        assert_eq!((given[0], given[2], rewards(&rows)[row]), (None, None, Some(sum)));
        assert!(!mask(&rows, row)[0] && floats(&rows, "token_rollout_logprobs", row)[0].is_none());
    }
    assert!(shortened > 30, "{shortened} of 60 turns end with the text");
}

#[test]
fn limits_truncate() {
    let turn_limit = sampler(Countdowns { from: 9, turn_end: None, max_turns: 2 }, 1000);
    let rows = sample(&turn_limit, Dice::new(5, "ab"), &prompts(2)).rollouts;
    check_rows(&rows);
    for row in 0..rows.num_rows() {
        assert_eq!(text(&rows, "status", row).as_deref(), Some("truncated"));
        assert!(text(&rows, "metadata", row).unwrap().contains(r#""reason":"turn limit""#));
        assert_eq!(integers(&rows, "step_turns", row), [0, 0, 0, 1, 1]);
    }
    let token_limit = sampler(Countdowns { from: 9, turn_end: None, max_turns: 100 }, 12);
    let rows = sample(&token_limit, Dice::new(5, "ab"), &prompts(6)).rollouts;
    check_rows(&rows);
    for row in 0..rows.num_rows() {
        assert!(integers(&rows, "token_ids", row).len() <= 12);
        assert_eq!(text(&rows, "status", row).as_deref(), Some("truncated"));
        assert!(text(&rows, "metadata", row).unwrap().contains("token limit"));
    }
}

/// By the number of the task and the turn: hangs, fails, panics, cannot be made, or answers nonsense.
struct Unreliable {
    number: u64,
    turn: u64,
}

#[async_trait]
impl Environment for Unreliable {
    async fn reset(&mut self) -> Result<Reset> {
        if self.number % 10 == 9 {
            std::future::pending::<()>().await;
        }
        Ok(Reset::default())
    }

    async fn step(&mut self, _: &str) -> Result<Transition> {
        self.turn += 1;
        let transition = Transition { observation: ".".into(), reward: Some(1.0), ..Transition::default() };
        match (self.number % 10, self.turn) {
            (1, 2) => std::future::pending().await,
            (3, 2) => Err(Error::usage("the sandbox is gone", "")),
            (5, 2) => panic!("a bug in the sandbox"),
            (6, 2) => Ok(Transition { reward: Some(f64::NAN), ..transition }),
            (8, 2) => Ok(Transition { observation: "é".into(), ..transition }),
            (_, 3) => Ok(Transition { done: true, ..transition }),
            _ => Ok(transition),
        }
    }
}

struct Unreliables;

impl Environments for Unreliables {
    fn make(&self, prompt: &Prompt) -> Result<Box<dyn Environment>> {
        let number = prompt.reference.as_deref().unwrap().parse().unwrap();
        match number % 10 {
            7 => Err(Error::usage("no such task", "")),
            _ => Ok(Box::new(Unreliable { number, turn: 0 })),
        }
    }

    fn max_turns(&self) -> usize {
        5
    }
}

#[test]
fn environments_that_hang_or_fail_end_their_episodes_only() {
    let mut sampler = sampler(Unreliables, 1000);
    sampler.environment_deadline = Duration::from_secs(1);
    sampler.environment_calls = 8;
    let begun = Instant::now();
    let policy = Dice::new(5, "ab");
    let rows =
        sample_with(&sampler, policy, &prompts(20), &EpisodeReward, &History::default()).unwrap().rollouts;
    assert!(begun.elapsed() < Duration::from_secs(30));
    assert_eq!(rows.num_rows(), 80);
    check_rows(&rows);
    for row in 0..rows.num_rows() {
        let (status, wanted) = match text(&rows, "reference", row).unwrap().parse::<u64>().unwrap() % 10 {
            9 => ("aborted", "the environment's reset did not answer within 1s"),
            1 => ("aborted", "the environment's step did not answer within 1s"),
            3 => ("error", "the environment failed: the sandbox is gone"),
            5 => ("error", "a bug in the sandbox"),
            6 => ("error", "the environment gave the reward NaN"),
            7 => ("error", "the environment failed: no such task"),
            8 => ("error", "the observation cannot be tokenized"),
            _ => ("complete", ""),
        };
        assert_eq!(text(&rows, "status", row).as_deref(), Some(status));
        let reward = rewards(&rows)[row];
        if status == "complete" {
            assert_eq!((reward, text(&rows, "reward_status", row)), (Some(3.0), None));
        } else {
            let reason = text(&rows, "reward_status", row).unwrap();
            assert!(reason.contains(wanted), "{reason}");
            assert_eq!(reward, None);
            assert!(text(&rows, "metadata", row).unwrap().contains("reason"));
        }
    }
    let failed = texts(&rows, "status").iter().filter(|status| status.as_deref() != Some("complete")).count();
    assert_eq!(failed, 56);
}

/// Notes how many of its calls run at the same time.
#[derive(Clone, Default)]
struct Busy {
    running: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

#[async_trait]
impl Environment for Busy {
    async fn reset(&mut self) -> Result<Reset> {
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(running, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(2)).await;
        self.running.fetch_sub(1, Ordering::SeqCst);
        Ok(Reset::default())
    }

    async fn step(&mut self, _: &str) -> Result<Transition> {
        self.reset().await?;
        Ok(Transition { done: true, ..Transition::default() })
    }
}

impl Environments for Busy {
    fn make(&self, _: &Prompt) -> Result<Box<dyn Environment>> {
        Ok(Box::new(self.clone()))
    }

    fn max_turns(&self) -> usize {
        2
    }
}

#[test]
fn so_many_calls_run_at_a_time() {
    let busy = Busy::default();
    let mut sampler = sampler(busy.clone(), 1000);
    sampler.environment_calls = 3;
    sample(&sampler, Dice::new(5, "ab"), &prompts(10));
    assert_eq!((busy.most.load(Ordering::SeqCst), busy.running.load(Ordering::SeqCst)), (3, 0));
}

#[test]
fn episodes_do_not_depend_on_how_prompts_are_spread() {
    let sampler = sampler(Countdowns { from: 4, turn_end: Some("!?"), max_turns: 3 }, 100);
    let tasks = prompts(6);
    let policy = || Dice::new(30, "ab!?");
    let whole = sample(&sampler, policy(), &tasks).rollouts;
    let parts: Vec<_> = tasks.chunks(4).map(|part| sample(&sampler, policy(), part).rollouts).collect();
    assert_eq!(joined(&parts), whole);
}

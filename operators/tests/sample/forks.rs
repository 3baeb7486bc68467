//! Forked episodes in environments: where a turn is taken up again, and copies that differ.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use meed_operators::Result;
use meed_operators::policy::{
    Characters, Continuation, Generated, Policy, Sampling, TokenBatch, TokenScores, Tokenizer,
};
use meed_operators::sample::{
    Environment, Environments, Episode, Prompt, Reset, Round, Sampled, Sampler, Strategy, Transition,
};

use super::environments::{self, Countdowns};
use super::fakes::{Dice, check_rows, integers, prompts, rewards, sample, step_texts, text};

/// One rollout per prompt, and one fork of it at a place.
struct ForkAt(fn(&Episode) -> usize);

#[async_trait]
impl Strategy for ForkAt {
    fn name(&self) -> &str {
        "fork_at"
    }

    async fn sample(&self, round: &Round<'_>, prompts: &[Arc<Prompt>]) -> Result<Sampled> {
        let bases: Result<Vec<Episode>> = prompts.iter().map(|prompt| round.episode(prompt, 0)).collect();
        let bases = round.run(bases?).await?;
        let forks = bases.iter().map(|base| round.fork(base, (self.0)(base), 1)).collect();
        let forks = round.run(forks).await?;
        Sampled::join(vec![round.judge(&[bases, forks].concat(), &[]).await?])
    }
}

fn forking(environments: impl Environments + 'static, at: fn(&Episode) -> usize) -> Sampler {
    Sampler { strategy: Arc::new(ForkAt(at)), ..environments::sampler(environments, 1000) }
}

#[test]
fn a_turn_that_ends_at_the_split_is_answered_again() {
    for turn_end in [None, Some("!?")] {
        let environments = Countdowns { from: 3, turn_end, max_turns: 10 };
        let sampler = forking(environments, |base| base.steps[1].end);
        let rows = sample(&sampler, Dice::new(9, "ab!?"), &prompts(10)).rollouts;
        check_rows(&rows);
        for base in (0..20).step_by(2) {
            let fork = base + 1;
            assert_eq!(text(&rows, "status", fork).as_deref(), Some("complete"));
            assert_eq!(integers(&rows, "step_turns", fork), [0, 0, 0, 1, 1, 2]);
            // The greeting, the first turn and its answer are shared; what follows is not.
            for name in ["step_texts", "step_states", "step_actions"] {
                let (of_base, of_fork) = (step_texts(&rows, name, base), step_texts(&rows, name, fork));
                assert_eq!(of_base[..3], of_fork[..3], "{name}");
            }
        }
        let said = |row| step_texts(&rows, "step_texts", row)[3].clone();
        assert!((0..20).step_by(2).filter(|base| said(*base) != said(base + 1)).count() > 5);
    }
}

/// Ends after two turns; the first of a prompt's copies answers nothing, later ones do.
struct Changing {
    copy: usize,
    turn: usize,
}

#[async_trait]
impl Environment for Changing {
    async fn reset(&mut self) -> Result<Reset> {
        Ok(Reset::default())
    }

    async fn step(&mut self, _: &str) -> Result<Transition> {
        self.turn += 1;
        let observation = if self.copy == 0 { "" } else { "boo" };
        Ok(Transition { observation: observation.into(), done: self.turn == 2, ..Transition::default() })
    }
}

struct Copies(AtomicUsize);

impl Environments for Copies {
    fn make(&self, _: &Prompt) -> Result<Box<dyn Environment>> {
        Ok(Box::new(Changing { copy: self.0.fetch_add(1, Ordering::SeqCst), turn: 0 }))
    }

    fn max_turns(&self) -> usize {
        5
    }
}

#[test]
fn a_copy_that_says_more_is_noticed() {
    let sampler = forking(Copies(AtomicUsize::new(0)), |base| base.steps[0].end + 1);
    let rows = sample(&sampler, Dice::new(2, "ab"), &prompts(1)).rollouts;
    assert_eq!(text(&rows, "status", 0).as_deref(), Some("complete"));
    assert_eq!((text(&rows, "status", 1).as_deref(), rewards(&rows)[1]), (Some("error"), None));
    assert!(text(&rows, "reward_status", 1).unwrap().contains("did not answer the shared turns as before"));
}

/// Knows no stop tokens, as tokens that span the end of a turn would have it.
struct Babbler;

impl Policy for Babbler {
    fn version(&self) -> i64 {
        0
    }

    fn generate(&self, continuations: &[Continuation], _: &Sampling) -> Result<Vec<Generated>> {
        let answer = |asked: &Continuation| {
            let mut context = asked.context.clone();
            let mut generated = Generated::default();
            for token in Characters.encode("hm!?!? and so on")?.into_iter().take(asked.max_tokens) {
                generated.logprobs.push(Dice::logprob(&context, token));
                generated.entropies.push(Dice::entropy(&context));
                generated.tokens.push(token);
                context.push(token);
            }
            Ok(generated)
        };
        continuations.iter().map(answer).collect()
    }

    fn score(&self, _: &TokenBatch, _: f64) -> Result<TokenScores> {
        Ok(TokenScores::default())
    }
}

#[test]
fn what_follows_the_end_of_a_turn_is_left_out() {
    let sampler = environments::sampler(Countdowns { from: 2, turn_end: Some("!?"), max_turns: 5 }, 1000);
    let rows = sample(&sampler, Arc::new(Babbler), &prompts(1)).rollouts;
    check_rows(&rows);
    for row in 0..rows.num_rows() {
        let said: Vec<String> = step_texts(&rows, "step_texts", row).into_iter().flatten().collect();
        assert_eq!(said, ["go>", "hm!?", "[4]", "hm!?"]);
    }
}

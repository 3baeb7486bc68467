//! The places of a rollout from which an answer is asked for, and what the policy says there.

use crate::credit::{STEP, TURN};
use crate::judge::{Failure, JudgeContext, Judged};
use crate::policy::{Continuation, Sampling, TokenBatch};
use crate::random::RandomKey;

/// What stands between the truncated rollout and the answer that is scored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bridge {
    /// Text that asks for the answer: the end of thinking and an answer tag, or `\boxed{`.
    pub text: String,
    /// The gold answer may list alternatives, separated by this text; the first is scored.
    pub separator: Option<String>,
}

impl Bridge {
    /// The answer that is scored.
    pub(super) fn answer<'a>(&self, reference: &'a str) -> &'a str {
        let first = self.separator.as_deref().and_then(|separator| reference.split(separator).next());
        first.unwrap_or(reference).trim()
    }
}

/// A rollout cut at its turns, with a policy to ask.
pub(super) struct Contexts<'a> {
    context: &'a JudgeContext,
    prompt: Vec<i32>,
    tokens: Vec<i32>,
    bridge: Vec<i32>,
}

impl<'a> Contexts<'a> {
    /// The tokens of a rollout. A prompt without ids is tokenised; the tokens after it need theirs,
    /// because turns end at tokens.
    pub(super) fn of(
        rollout: Judged<'_>,
        context: &'a JudgeContext,
        bridge: &Bridge,
    ) -> Result<Self, Failure> {
        let tokenizer = context.tokenizer.as_ref().ok_or_else(no_policy)?;
        let encode = |text: &str| tokenizer.encode(text).map_err(|error| Failure::Error(error.to_string()));
        let prompt = match rollout.integers("prompt_ids") {
            Ok(ids) => ids,
            Err(_) => encode(rollout.text("prompt")?)?,
        };
        let tokens = rollout.integers("token_ids")?;
        Ok(Contexts { context, prompt, tokens, bridge: encode(&bridge.text)? })
    }

    /// Number of tokens after the prompt.
    pub(super) fn tokens(&self) -> usize {
        self.tokens.len()
    }

    /// Log-probabilities of the tokens of each answer after each cut (a number of tokens after the
    /// prompt) and the bridge, teacher-forced at temperature 1: per cut, then per answer.
    pub(super) fn logprobs(&self, cuts: &[usize], answers: &[&str]) -> Result<Vec<Vec<Vec<f64>>>, Failure> {
        let failed = |error: crate::Error| Failure::Error(error.to_string());
        let tokenizer = self.context.tokenizer.as_ref().ok_or_else(no_policy)?;
        let policy = self.context.policy.as_ref().ok_or_else(no_policy)?;
        let mut encoded = Vec::with_capacity(answers.len());
        for answer in answers {
            let tokens = tokenizer.encode(answer).map_err(failed)?;
            if tokens.is_empty() {
                return Err(Failure::Missing("the answer to score is empty".to_owned()));
            }
            encoded.push(tokens);
        }
        let mut batch = TokenBatch::default();
        for cut in cuts {
            let before = self.before(*cut, tokenizer.end());
            for answer in &encoded {
                batch.push(&before, answer, &vec![true; answer.len()]);
            }
        }
        if batch.is_empty() {
            return Ok(cuts.iter().map(|_| Vec::new()).collect());
        }
        let scored = policy.score(&batch, 1.0).map_err(failed)?.logprobs;
        let answers = encoded.len();
        let of = |index: usize| -> Vec<f64> {
            let range = batch.offsets[index]..batch.offsets[index + 1];
            scored[range].iter().map(|logprob| f64::from(*logprob)).collect()
        };
        Ok((0..cuts.len()).map(|cut| (0..answers).map(|i| of(cut * answers + i)).collect()).collect())
    }
}

impl Contexts<'_> {
    /// What stands before an answer: the prompt, what was said up to a cut, and the bridge. An end token
    /// right before the bridge is left out, because the policy goes on talking.
    fn before(&self, cut: usize, end: i32) -> Vec<i32> {
        let said = &self.tokens[..cut];
        [self.prompt.as_slice(), said.strip_suffix(&[end]).unwrap_or(said), &self.bridge].concat()
    }

    /// Log-probabilities of the answer's tokens and entropies at the positions of sampled completions:
    /// per cut, then per completion.
    pub(super) fn probes(
        &self,
        cuts: &[usize],
        answer: &str,
        samples: usize,
        temperature: f64,
        key: RandomKey,
    ) -> Result<Vec<Vec<Probed>>, Failure> {
        let failed = |error: crate::Error| Failure::Error(error.to_string());
        let tokenizer = self.context.tokenizer.as_ref().ok_or_else(no_policy)?;
        let policy = self.context.policy.as_ref().ok_or_else(no_policy)?;
        let gold = tokenizer.encode(answer).map_err(failed)?;
        if gold.is_empty() || samples == 0 {
            return Err(Failure::Missing("there is no answer to probe for, or no probe".to_owned()));
        }
        let before: Vec<Vec<i32>> = cuts.iter().map(|cut| self.before(*cut, tokenizer.end())).collect();
        let asked: Vec<Continuation> = (0..cuts.len() * samples)
            .map(|index| Continuation {
                context: before[index / samples].clone(),
                key: key.within(&format!("{}/{}", index / samples, index % samples)),
                position: 0,
                max_tokens: gold.len(),
            })
            .collect();
        let sampling = Sampling { temperature, stop_tokens: vec![tokenizer.end()], ..Sampling::default() };
        let drawn = policy.generate(&asked, &sampling).map_err(failed)?;
        let mut batch = TokenBatch::default();
        for (index, drawn) in drawn.iter().enumerate() {
            for (position, token) in gold.iter().enumerate().take(drawn.tokens.len()) {
                let before = [before[index / samples].as_slice(), &drawn.tokens[..position]].concat();
                batch.push(&before, &[*token], &[true]);
            }
        }
        let mut scored = match batch.is_empty() {
            true => Vec::new(),
            false => policy.score(&batch, temperature).map_err(failed)?.logprobs,
        }
        .into_iter();
        let mut probes = vec![Vec::with_capacity(samples); cuts.len()];
        for (index, drawn) in drawn.iter().enumerate() {
            let reached = drawn.tokens.len().min(gold.len());
            let mut logprobs: Vec<f64> = scored.by_ref().take(reached).map(f64::from).collect();
            let mut entropies: Vec<f64> =
                drawn.entropies.iter().take(reached).map(|entropy| f64::from(*entropy)).collect();
            logprobs.resize(gold.len(), f64::NEG_INFINITY);
            entropies.resize(gold.len(), 0.0);
            probes[index / samples].push((logprobs, entropies));
        }
        Ok(probes)
    }
}

/// Log-probabilities of the answer's tokens along a completion (minus infinity after its end), and
/// entropies.
pub(super) type Probed = (Vec<f64>, Vec<f64>);

fn no_policy() -> Failure {
    Failure::Missing("there is no policy to ask".to_owned())
}

pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The turns of a rollout: where each is cut, and the step on which its signal stands.
pub(super) struct Turns {
    /// Per turn, tokens after the prompt up to its end: what the environment answered is part of it.
    pub(super) ends: Vec<usize>,
    /// Per turn, its last policy step; none in a turn in which the policy says nothing.
    pub(super) steps: Vec<Option<usize>>,
    /// Number of steps.
    pub(super) count: usize,
}

impl Turns {
    pub(super) fn of(rollout: Judged<'_>) -> Result<Self, Failure> {
        let failed = |error: crate::Error| Failure::Missing(error.to_string());
        let unit = rollout.unit()?;
        let steps = unit.extent(&STEP).map_err(failed)?;
        let spans = steps.spans.as_ref();
        let spans = spans.ok_or_else(|| Failure::Missing("step_ends is absent".to_owned()))?;
        let policy = unit.policy_steps().map_err(failed)?;
        let turns = unit.ranges(&TURN, &STEP).map_err(failed)?;
        Ok(Turns {
            ends: turns.iter().map(|&(_, past)| spans[past - 1].1).collect(),
            steps: turns.iter().map(|&(first, past)| (first..past).rev().find(|i| policy[*i])).collect(),
            count: steps.len(),
        })
    }

    /// Values of turns as a signal of steps: each stands on the last policy step of its turn; null
    /// elsewhere.
    pub(super) fn on_steps(&self, values: &[Option<f64>]) -> Vec<Option<f64>> {
        let mut steps = vec![None; self.count];
        for (step, value) in self.steps.iter().zip(values) {
            if let Some(step) = step {
                steps[*step] = *value;
            }
        }
        steps
    }
}

//! The turn loop: the policy speaks until its turn ends, the environment answers, and so on.

use std::sync::Arc;

use futures::future::join_all;

use super::calls::{Calls, Ended};
use super::strategy::off_thread;
use super::{Environment, Environments, Episode, Live, Prompt, Reset, Round, Status, Transition};
use crate::policy::{Continuation, Generated, Sampling};
use crate::{Error, Result};

/// Where the open turn of an episode stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// The policy has more to say, at most so many tokens.
    Open(usize),
    /// It said that it is done.
    Said,
    /// The limit of a turn's tokens ended it.
    Cut,
    /// The limit of the rollout's tokens ended it.
    Exhausted,
}

impl Round<'_> {
    /// Runs episodes to their ends, from wherever they stand. The policy is asked for the open turns of
    /// all of them at once; then all environments answer.
    ///
    /// An environment that fails, hangs or answers a reward that is no number ends its episode with a
    /// status and a reason.
    ///
    /// # Errors
    /// A failure of the policy.
    pub async fn run(&self, episodes: Vec<Episode>) -> Result<Vec<Episode>> {
        let mut lives = self.begin(episodes).await;
        let turn_end = self.turn_end();
        while lives.iter().any(|live| live.episode.status.is_none()) {
            self.speak(&mut lives, turn_end.as_deref()).await?;
            self.answer(&mut lives, turn_end.as_deref()).await?;
        }
        Ok(lives.into_iter().map(|live| live.episode).collect())
    }

    /// Runs episodes of one turn that no environment answers.
    ///
    /// # Errors
    /// A failure of the policy.
    pub async fn run_alone(&self, episodes: Vec<Episode>, turn_end: Option<&str>) -> Result<Vec<Episode>> {
        let mut lives: Vec<Live> = episodes.into_iter().map(Live::alone).collect();
        self.speak(&mut lives, turn_end).await?;
        self.answer(&mut lives, turn_end).await?;
        Ok(lives.into_iter().map(|live| live.episode).collect())
    }

    /// Ends the steps of trajectories that go on: in an environment by its answer, alone with the end
    /// token or the limit of tokens only.
    ///
    /// # Errors
    /// As [`Round::answer`].
    pub async fn answer_steps(&self, lives: &mut [Live], turn_end: Option<&str>) -> Result<()> {
        if self.sampler.environments.is_some() {
            return self.answer(lives, turn_end).await;
        }
        for episode in lives.iter_mut().map(|live| &mut live.episode) {
            if episode.status.is_some() {
                continue;
            }
            self.close(episode, None, None);
            if episode.tokens.last().is_some_and(|token| self.sampler.ends().contains(token)) {
                episode.end(Status::Complete, None);
            } else if episode.tokens.len() >= self.sampler.max_tokens {
                episode.end(Status::Truncated, Some("token limit".to_owned()));
            }
        }
        Ok(())
    }

    /// The text that ends a turn of the policy, where the environments say one.
    pub fn turn_end(&self) -> Option<String> {
        self.sampler.environments.as_ref()?.turn_end().map(str::to_owned)
    }

    /// Makes and resets the environments of episodes. An episode that has tokens already, because it
    /// was forked, has its turns repeated to its environment, which must answer as it did before.
    pub async fn begin(&self, episodes: Vec<Episode>) -> Vec<Live> {
        let Some(environments) = &self.sampler.environments else {
            return episodes.into_iter().map(Live::alone).collect();
        };
        join_all(episodes.into_iter().map(|episode| self.begin_one(environments, episode))).await
    }

    async fn begin_one(&self, environments: &Arc<dyn Environments>, mut episode: Episode) -> Live {
        let started = match open(&self.calls, environments.clone(), episode.prompt.clone()).await {
            Ok((environment, reset)) if episode.tokens.is_empty() => {
                episode.state = reset.state;
                self.observe(&mut episode, reset.observation);
                Ok(environment)
            }
            Ok((environment, reset)) => repeat(&self.calls, environment, reset, &mut episode).await,
            Err(ended) => Err(ended),
        };
        match started {
            Ok(environment) => Live { episode, environment: Some(environment) },
            Err((status, reason)) => {
                self.break_off(&mut episode, status, reason);
                Live::alone(episode)
            }
        }
    }

    /// Asks the policy until every episode that goes on has ended its turn.
    ///
    /// A turn ends with a stop token, with the first token that completes the text `turn_end`, or at a
    /// limit. The policy's draws depend on the episode and the position alone.
    ///
    /// # Errors
    /// A failure of the policy, or answers that do not fit what it was asked.
    pub async fn speak(&self, lives: &mut [Live], turn_end: Option<&str>) -> Result<()> {
        let mut sampling = self.sampler.sampling.clone();
        sampling.stop_tokens = self.sampler.ends();
        if let Some(text) = turn_end {
            // Generation pauses where the text may be complete; whether it is, is seen in the text.
            sampling.stop_tokens.extend(self.sampler.tokenizer.encode(text)?.last());
        }
        loop {
            let mut asked = Vec::new();
            let mut continuations = Vec::new();
            for (index, live) in lives.iter_mut().enumerate() {
                if let Some(Turn::Open(max_tokens)) = self.turn(&mut live.episode, turn_end) {
                    let episode = &live.episode;
                    let (context, position) = (episode.context(), episode.tokens.len() as u64);
                    continuations.push(Continuation { context, key: episode.key, position, max_tokens });
                    asked.push((index, max_tokens));
                }
            }
            if asked.is_empty() {
                return Ok(());
            }
            let generated = self.generate(continuations, sampling.clone()).await?;
            if generated.len() != asked.len() {
                return Err(nonsense(format!("{} answers to {} requests", generated.len(), asked.len())));
            }
            for ((index, max_tokens), generated) in asked.into_iter().zip(generated) {
                let episode = &mut lives[index].episode;
                append(episode, generated, max_tokens)?;
                if let Some(text) = turn_end {
                    self.cut_after(episode, text);
                }
            }
        }
    }

    /// Ends the turns that the policy has spoken: alone, with them the episodes; in an environment, by
    /// its answer.
    ///
    /// # Errors
    /// None that are the environment's: those end its episode.
    pub async fn answer(&self, lives: &mut [Live], turn_end: Option<&str>) -> Result<()> {
        let answers = lives.iter_mut().map(|live| async {
            let Some(turn) = self.turn(&mut live.episode, turn_end) else {
                return;
            };
            match (turn, live.environment.take()) {
                (Turn::Exhausted, _) => {
                    self.break_off(&mut live.episode, Status::Truncated, "token limit".to_owned());
                }
                (Turn::Said, None) => {
                    self.close(&mut live.episode, None, None);
                    live.episode.end(Status::Complete, None);
                }
                (_, None) => {
                    self.close(&mut live.episode, None, None);
                    live.episode.end(Status::Truncated, Some("token limit of a turn".to_owned()));
                }
                (_, Some(environment)) => {
                    let text = self.open_text(&live.episode).unwrap_or_default();
                    match step(&self.calls, environment, text).await {
                        Ok((environment, transition)) => {
                            self.transit(&mut live.episode, transition);
                            live.environment = Some(environment);
                        }
                        Err((status, reason)) => self.break_off(&mut live.episode, status, reason),
                    }
                }
            }
        });
        join_all(answers).await;
        Ok(())
    }

    async fn generate(&self, continuations: Vec<Continuation>, sampling: Sampling) -> Result<Vec<Generated>> {
        let policy = self.policy.clone();
        off_thread(move || policy.generate(&continuations, &sampling)).await
    }

    /// Where the open turn of an episode stands; `None` where the episode has ended.
    fn turn(&self, episode: &mut Episode, turn_end: Option<&str>) -> Option<Turn> {
        if episode.status.is_some() {
            return None;
        }
        let open = &episode.tokens[episode.turn_start()..];
        if open.last().is_some_and(|token| self.sampler.ends().contains(token)) {
            return Some(Turn::Said);
        }
        if let Some(text) = turn_end {
            match self.sampler.tokenizer.decode(open) {
                Ok(open) if open.contains(text) => return Some(Turn::Said),
                Ok(_) => {}
                Err(error) => {
                    self.break_off(episode, Status::Error, format!("the turn is no text: {error}"));
                    return None;
                }
            }
        }
        let left = self.sampler.max_tokens.saturating_sub(episode.tokens.len());
        let left_of_turn = self.sampler.max_turn_tokens.saturating_sub(open.len());
        Some(match (left, left_of_turn) {
            (0, _) => Turn::Exhausted,
            (_, 0) => Turn::Cut,
            _ => Turn::Open(left.min(left_of_turn)),
        })
    }

    /// Leaves out what follows the token that completes the text.
    fn cut_after(&self, episode: &mut Episode, text: &str) {
        let start = episode.turn_start();
        let said = |end: usize| {
            let open = self.sampler.tokenizer.decode(&episode.tokens[start..end]);
            open.is_ok_and(|open| open.contains(text))
        };
        if said(episode.tokens.len()) {
            let (mut without, mut with) = (start, episode.tokens.len());
            while with - without > 1 {
                let middle = without + (with - without) / 2;
                if said(middle) { with = middle } else { without = middle }
            }
            episode.cut(with);
        }
    }

    fn open_text(&self, episode: &Episode) -> Option<String> {
        self.sampler.tokenizer.decode(&episode.tokens[episode.turn_start()..]).ok()
    }

    fn close(&self, episode: &mut Episode, action: Option<String>, reward: Option<f64>) {
        let text = self.open_text(episode);
        episode.close_turn(text, action, reward);
    }

    /// Ends an episode in the middle of a turn; what it had said stays on record.
    fn break_off(&self, episode: &mut Episode, status: Status, reason: String) {
        if episode.tokens.len() > episode.turn_start() {
            self.close(episode, None, None);
        }
        episode.end(status, Some(reason));
    }

    fn transit(&self, episode: &mut Episode, transition: Transition) {
        if let Some(reward) = transition.reward.filter(|reward| !reward.is_finite()) {
            let reason = format!("the environment gave the reward {reward}");
            return self.break_off(episode, Status::Error, reason);
        }
        self.close(episode, transition.action, transition.reward);
        episode.state = transition.state;
        if transition.done {
            episode.end(Status::Complete, None);
        }
        self.observe(episode, transition.observation);
        let most = self.sampler.environments.as_ref().map_or(1, |environments| environments.max_turns());
        if episode.turns() >= most {
            episode.end(Status::Truncated, Some("turn limit".to_owned()));
        }
    }

    /// Appends what the environment says. Where it does not fit into the limit, it is left out and the
    /// episode is cut off.
    fn observe(&self, episode: &mut Episode, observation: String) {
        if observation.is_empty() {
            return;
        }
        match self.sampler.tokenizer.encode(&observation) {
            Ok(tokens) if episode.tokens.len() + tokens.len() <= self.sampler.max_tokens => {
                episode.observe(&tokens, observation);
            }
            Ok(_) => {
                episode.end(Status::Truncated, Some("token limit: no room for the observation".to_owned()))
            }
            Err(error) => {
                episode.end(Status::Error, Some(format!("the observation cannot be tokenized: {error}")));
            }
        }
    }
}

/// A fresh environment and how it begins.
async fn open(
    calls: &Calls,
    environments: Arc<dyn Environments>,
    prompt: Arc<Prompt>,
) -> Result<(Box<dyn Environment>, Reset), Ended> {
    let begin = async move {
        let mut environment = environments.make(&prompt)?;
        let reset = environment.reset().await?;
        Ok((environment, reset))
    };
    calls.ask("the environment's reset", begin).await?.map_err(failed)
}

async fn step(
    calls: &Calls,
    mut environment: Box<dyn Environment>,
    turn: String,
) -> Result<(Box<dyn Environment>, Transition), Ended> {
    let answer = async move {
        let transition = environment.step(&turn).await?;
        Ok((environment, transition))
    };
    calls.ask("the environment's step", answer).await?.map_err(failed)
}

fn failed(error: Error) -> Ended {
    (Status::Error, format!("the environment failed: {error}"))
}

/// Brings a fresh environment to where a forked episode stands.
async fn repeat(
    calls: &Calls,
    mut environment: Box<dyn Environment>,
    reset: Reset,
    episode: &mut Episode,
) -> Result<Box<dyn Environment>, Ended> {
    let differs = || (Status::Error, "the environment did not answer the shared turns as before".to_owned());
    let mut state = reset.state;
    let mut said = reset.observation;
    let mut done = false;
    for step_index in 0..episode.steps.len() {
        let known = &episode.steps[step_index];
        let text = known.text.clone().unwrap_or_default();
        if known.policy {
            if !said.is_empty() || done {
                return Err(differs());
            }
            let (same, transition) = step(calls, environment, text).await?;
            environment = same;
            (state, said, done) = (transition.state, transition.observation, transition.done);
        } else if std::mem::take(&mut said) != text {
            return Err(differs());
        }
    }
    if !said.is_empty() || done {
        return Err(differs());
    }
    episode.state = state;
    Ok(environment)
}

fn append(episode: &mut Episode, generated: Generated, max_tokens: usize) -> Result<()> {
    let count = generated.tokens.len();
    if generated.logprobs.len() != count || generated.entropies.len() != count {
        return Err(nonsense(format!("{count} tokens with lists of other lengths")));
    }
    if count == 0 || count > max_tokens {
        return Err(nonsense(format!("{count} tokens where 1 to {max_tokens} were asked for")));
    }
    episode.tokens.extend(generated.tokens);
    episode.mask.resize(episode.tokens.len(), true);
    episode.logprobs.extend(generated.logprobs.into_iter().map(Some));
    episode.entropies.extend(generated.entropies.into_iter().map(Some));
    Ok(())
}

fn nonsense(what: String) -> Error {
    Error::usage(
        format!("the policy answered {what}"),
        "every continuation gets one answer of its own length",
    )
}

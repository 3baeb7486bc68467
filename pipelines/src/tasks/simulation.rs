//! Tasks in turns: an environment that is a function of the prompt and the turns, so that grading is
//! replaying.

use std::marker::PhantomData;

use async_trait::async_trait;
use meed_operators::Result;
use meed_operators::sample::{Environment, Environments, Prompt, Reset, Transition};

/// An episode of a task in turns, without chance.
pub(super) trait Simulation: Sized + Send + Sync + 'static {
    /// Text with which the policy ends a turn.
    const TURN_END: &'static str;

    /// Begins the episode of a prompt.
    ///
    /// # Errors
    /// A prompt that is not of the task.
    fn begin(prompt: &Prompt) -> Result<Self>;

    /// What the policy sees after the prompt, before its first turn.
    fn opening(&self) -> String {
        String::new()
    }

    /// Key of the state.
    fn state(&self) -> String;

    /// Answers a turn, whatever it is. Not called again once it is decided.
    fn answer(&mut self, turn: &str) -> Answer;
}

/// What a simulation answers to a turn.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    /// What the policy sees next.
    pub observation: String,
    /// The turn as a canonical action; `None` where it is malformed.
    pub action: Option<String>,
    /// Whether the problem is solved; `None` while the episode goes on.
    pub solved: Option<bool>,
    /// The step oracle's opinion of the turn.
    pub good: bool,
}

impl Answer {
    /// The end of an episode by a turn that is malformed or not allowed.
    pub fn malformed() -> Self {
        Answer { observation: String::new(), action: None, solved: Some(false), good: false }
    }
}

/// Grades turns: 1 where they solve the problem and nothing follows.
pub(super) fn grade<S: Simulation>(prompt: &Prompt, turns: &[&str]) -> Result<f64> {
    let answers = replay::<S>(prompt, turns)?;
    let solved = answers.len() == turns.len() && answers.last().is_some_and(|last| last.solved == Some(true));
    Ok(f64::from(u8::from(solved)))
}

/// The step oracle's opinion of each turn; turns after the end of the episode are no good.
pub(super) fn step_scores<S: Simulation>(prompt: &Prompt, turns: &[&str]) -> Result<Vec<f64>> {
    let answers = replay::<S>(prompt, turns)?;
    let mut scores: Vec<f64> = answers.iter().map(|answer| f64::from(u8::from(answer.good))).collect();
    scores.resize(turns.len(), 0.0);
    Ok(scores)
}

/// The answers to turns, up to the one that ends the episode.
fn replay<S: Simulation>(prompt: &Prompt, turns: &[&str]) -> Result<Vec<Answer>> {
    let mut simulation = S::begin(prompt)?;
    let mut answers: Vec<Answer> = Vec::new();
    for turn in turns {
        if answers.last().is_some_and(|last| last.solved.is_some()) {
            break;
        }
        answers.push(simulation.answer(turn));
    }
    Ok(answers)
}

/// The environments of a task in turns.
pub(super) struct Simulations<S> {
    max_turns: usize,
    of: PhantomData<fn() -> S>,
}

impl<S: Simulation> Simulations<S> {
    /// Environments with at most so many turns.
    pub fn new(max_turns: usize) -> Self {
        Simulations { max_turns, of: PhantomData }
    }
}

impl<S: Simulation> Environments for Simulations<S> {
    fn make(&self, prompt: &Prompt) -> Result<Box<dyn Environment>> {
        Ok(Box::new(Running { prompt: prompt.clone(), simulation: S::begin(prompt)?, ended: false }))
    }

    fn turn_end(&self) -> Option<&str> {
        Some(S::TURN_END)
    }

    fn max_turns(&self) -> usize {
        self.max_turns
    }
}

struct Running<S> {
    prompt: Prompt,
    simulation: S,
    ended: bool,
}

#[async_trait]
impl<S: Simulation> Environment for Running<S> {
    async fn reset(&mut self) -> Result<Reset> {
        self.simulation = S::begin(&self.prompt)?;
        self.ended = false;
        Ok(Reset { observation: self.simulation.opening(), state: Some(self.simulation.state()) })
    }

    /// The reward is 1 where the turn solves the problem, else 0.
    async fn step(&mut self, turn: &str) -> Result<Transition> {
        let answer = if self.ended { Answer::malformed() } else { self.simulation.answer(turn) };
        self.ended = answer.solved.is_some();
        Ok(Transition {
            observation: answer.observation,
            reward: Some(f64::from(u8::from(answer.solved == Some(true)))),
            done: self.ended,
            state: Some(self.simulation.state()),
            action: answer.action,
        })
    }
}

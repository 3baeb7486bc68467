//! Tasks that ship with the project: prompts without end, a verifier, and solutions to warm up on.

mod arithmetic;
mod calculator;
mod game24;
mod judge;
mod key_door;
mod problems;
mod simulation;
mod strings;

pub use arithmetic::ARITHMETIC;
pub use calculator::CALCULATOR;
pub use game24::GAME24;
pub use judge::TaskJudge;
pub use key_door::KEY_DOOR;
pub use problems::Problems;
pub use strings::STRINGS;

use std::fmt;
use std::sync::Arc;

use meed_operators::sample::{Environments, Prompt};
use meed_operators::{Error, Result};
use rand_chacha::ChaCha8Rng;

/// All tasks; the first is the default of `meed train`.
pub const TASKS: &[&dyn Task] = &[&ARITHMETIC, &GAME24, &CALCULATOR, &KEY_DOOR, &STRINGS];

/// The task of a name.
///
/// # Errors
/// A name that is none; the hint has them all.
pub fn find_task(name: &str) -> Result<&'static dyn Task> {
    TASKS.iter().find(|task| task.name() == name).copied().ok_or_else(|| {
        let names: Vec<&str> = TASKS.iter().map(|task| task.name()).collect();
        Error::usage(format!("there is no task `{name}`"), format!("tasks are: {}", names.join(", ")))
    })
}

/// How hard the problems of a task may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difficulty {
    /// What the number counts.
    pub meaning: &'static str,
    /// The easiest.
    pub least: u32,
    /// The hardest.
    pub most: u32,
    /// Where nothing is said.
    pub default: u32,
}

/// What one rollout may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Tokens after the prompt, of policy and environment, end tokens included, at one token per character.
    pub max_tokens: usize,
    /// Turns of the policy.
    pub max_turns: usize,
}

/// A problem that a task has drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// The text that the policy sees.
    pub text: String,
    /// The gold answer, where there is one.
    pub reference: Option<String>,
    /// What the environment needs beyond it, as JSON.
    pub metadata: Option<String>,
    /// What makes two prompts the same problem: equal where one gives the other away.
    pub content: String,
}

/// A stretch of a solution: of the policy, which learns it, or of the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Its text.
    pub text: String,
    /// True for the policy.
    pub policy: bool,
}

/// A generated solution to warm up on. The end token belongs after it.
#[derive(Debug, Clone, PartialEq)]
pub struct Demonstration {
    /// The problem.
    pub prompt: Prompt,
    /// What is said after the prompt, in order.
    pub said: Vec<Said>,
    /// Whether it solves the problem: some tasks make mistakes on purpose.
    pub right: bool,
}

impl Demonstration {
    /// Everything after the prompt.
    pub fn response(&self) -> String {
        self.said.iter().map(|said| said.text.as_str()).collect()
    }

    /// The turns of the policy.
    pub fn turns(&self) -> Vec<&str> {
        self.said.iter().filter(|said| said.policy).map(|said| said.text.as_str()).collect()
    }
}

/// What a policy can be trained to do, with a verifier. All texts are printable ASCII and line feeds.
pub trait Task: Send + Sync {
    /// Its name.
    fn name(&self) -> &'static str;

    /// One line about it, with an example.
    fn title(&self) -> &'static str;

    /// How hard its problems may be.
    fn difficulty(&self) -> Difficulty;

    /// What a rollout may use.
    fn limits(&self, difficulty: u32) -> Limits;

    /// Draws a problem.
    fn draw(&self, difficulty: u32, random: &mut ChaCha8Rng) -> Problem;

    /// A solution to warm up on, which may have mistakes on purpose.
    ///
    /// # Errors
    /// A prompt that is not of this task.
    fn demonstrate(&self, prompt: Prompt, random: &mut ChaCha8Rng) -> Result<Demonstration>;

    /// The verifier: 1 where the turns of the policy solve the problem, 0 where they do not, however
    /// malformed they are.
    ///
    /// # Errors
    /// A prompt or reference that is not of this task.
    fn grade(&self, prompt: &Prompt, turns: &[&str]) -> Result<f64>;

    /// The step oracle, where the task has one: per turn of the policy, 1 where it was a good one, else
    /// 0. What is good, the task says: the problem can still be solved, or is nearer to its solution.
    ///
    /// # Errors
    /// As [`Task::grade`].
    fn step_scores(&self, prompt: &Prompt, turns: &[&str]) -> Result<Option<Vec<f64>>> {
        let _ = (prompt, turns);
        Ok(None)
    }

    /// True where the task has a step oracle.
    fn has_oracle(&self) -> bool {
        false
    }

    /// The environment that the policy's turns are answered by, where there is one.
    fn environments(&self, difficulty: u32) -> Option<Arc<dyn Environments>> {
        let _ = difficulty;
        None
    }
}

impl fmt::Debug for dyn Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Task({})", self.name())
    }
}

/// A prompt or reference that is not what a task makes.
fn foreign(task: &str, what: &str, text: &str) -> Error {
    Error::usage(
        format!("{task}: the {what} `{text}` is not of this task"),
        "judge rollouts with the task that made their prompts",
    )
}

//! The problems of a task: training prompts without end, and a held-out set that never occurs in them.

use std::collections::BTreeSet;

use meed_operators::random::RandomKey;
use meed_operators::sample::Prompt;
use meed_operators::{Error, Result};
use rand_chacha::ChaCha8Rng;
use twox_hash::XxHash3_128;

use super::{Demonstration, Problem, Task};

/// One in so many problems is held out, chosen by the hash of its content.
const SHARE: u128 = 8;

/// Draws after which a set of problems is taken to be exhausted.
const ATTEMPTS: usize = 10_000;

/// The problems of a task at one difficulty. Each is a function of the seed and its index alone.
///
/// A problem belongs to training or to the held-out set by a hash of its content, so that none is ever
/// in both, whatever the seeds and difficulties. The held-out set does not depend on the seed.
///
/// ```
/// use meed_pipelines::tasks::{Problems, find_task};
/// let problems = Problems::new(find_task("arithmetic")?, 2, 7)?;
/// let prompt = problems.training(0)?;
/// assert_eq!(prompt, problems.training(0)?);
/// assert!(problems.held_out(20)?.iter().all(|held_out| held_out.text != prompt.text));
/// # Ok::<(), meed_operators::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Problems {
    task: &'static dyn Task,
    difficulty: u32,
    seed: u64,
}

impl Problems {
    /// Problems of a task.
    ///
    /// # Errors
    /// A difficulty outside the task's range.
    pub fn new(task: &'static dyn Task, difficulty: u32, seed: u64) -> Result<Self> {
        let range = task.difficulty();
        if !(range.least..=range.most).contains(&difficulty) {
            return Err(Error::usage(
                format!("{} has no difficulty {difficulty}", task.name()),
                format!("it counts {} and goes from {} to {}", range.meaning, range.least, range.most),
            ));
        }
        Ok(Problems { task, difficulty, seed })
    }

    /// The task.
    pub fn task(&self) -> &'static dyn Task {
        self.task
    }

    /// The difficulty.
    pub fn difficulty(&self) -> u32 {
        self.difficulty
    }

    /// The training prompt of an index, in a group called `<task>-<difficulty>/<index>`.
    ///
    /// # Errors
    /// None unless the task has hardly any problem outside the held-out set.
    pub fn training(&self, index: u64) -> Result<Prompt> {
        let mut random = self.key(self.seed, "training").at(index);
        let problem = self.draw(&mut random, false)?;
        Ok(self.prompt(problem, format!("{index:07}")))
    }

    /// The held-out set: the first so many distinct problems, or all that there are if those are fewer.
    /// Its groups are called `<task>-<difficulty>/held-out/<number>`.
    ///
    /// # Errors
    /// None unless the task has hardly any problem in the held-out set.
    pub fn held_out(&self, count: usize) -> Result<Vec<Prompt>> {
        let mut random = self.key(0, "held-out").at(0);
        let mut prompts: Vec<Prompt> = Vec::new();
        let mut seen = BTreeSet::new();
        for _ in 0..count.saturating_mul(16) {
            if prompts.len() == count {
                break;
            }
            let problem = self.draw(&mut random, true)?;
            if seen.insert(problem.content.clone()) {
                let name = format!("held-out/{:04}", prompts.len());
                prompts.push(self.prompt(problem, name));
            }
        }
        Ok(prompts)
    }

    /// The solution of an index to warm up on, of a problem that is not held out.
    ///
    /// # Errors
    /// As [`Problems::training`].
    pub fn warm_up(&self, index: u64) -> Result<Demonstration> {
        let mut random = self.key(self.seed, "warm-up").at(index);
        let problem = self.draw(&mut random, false)?;
        self.task.demonstrate(self.prompt(problem, format!("warm-up/{index:07}")), &mut random)
    }

    fn key(&self, seed: u64, part: &str) -> RandomKey {
        RandomKey::new(seed, u64::from(self.difficulty), self.task.name(), part)
    }

    fn draw(&self, random: &mut ChaCha8Rng, held_out: bool) -> Result<Problem> {
        for _ in 0..ATTEMPTS {
            let problem = self.task.draw(self.difficulty, random);
            let hash = XxHash3_128::oneshot(format!("{}\n{}", self.task.name(), problem.content).as_bytes());
            if hash.is_multiple_of(SHARE) == held_out {
                return Ok(problem);
            }
        }
        Err(Error::usage(
            format!("{} has too few problems at difficulty {}", self.task.name(), self.difficulty),
            "choose a larger difficulty",
        ))
    }

    fn prompt(&self, problem: Problem, name: String) -> Prompt {
        Prompt {
            group_id: format!("{}-{}/{name}", self.task.name(), self.difficulty),
            text: problem.text,
            reference: problem.reference,
            metadata: problem.metadata,
        }
    }
}

#[cfg(test)]
mod tests {
    use meed_operators::policy::{Characters, Tokenizer};

    use super::*;
    use crate::tasks::{TASKS, find_task};

    fn everywhere(check: impl Fn(&dyn Task, Problems)) {
        for task in TASKS {
            let range = task.difficulty();
            assert!(range.least <= range.default && range.default <= range.most);
            for difficulty in BTreeSet::from([range.least, range.default, range.most]) {
                check(*task, Problems::new(*task, difficulty, 5).unwrap());
            }
        }
    }

    #[test]
    fn held_out_problems_never_occur_in_training_or_warm_up() {
        everywhere(|task, problems| {
            let held_out: BTreeSet<String> =
                problems.held_out(50).unwrap().into_iter().map(|prompt| prompt.text).collect();
            assert!(!held_out.is_empty(), "{} {}", task.name(), problems.difficulty());
            for index in 0..200 {
                assert!(!held_out.contains(&problems.training(index).unwrap().text));
                assert!(!held_out.contains(&problems.warm_up(index).unwrap().prompt.text));
            }
        });
    }

    #[test]
    fn prompts_are_a_function_of_seed_and_index() {
        everywhere(|task, problems| {
            let other = Problems::new(problems.task(), problems.difficulty(), 6).unwrap();
            let texts = |problems: &Problems| -> Vec<String> {
                (0..20).map(|index| problems.training(index).unwrap().text).collect()
            };
            assert_eq!(texts(&problems), texts(&problems), "{}", task.name());
            assert_ne!(texts(&problems), texts(&other), "{}", task.name());
            assert_eq!(problems.held_out(10).unwrap(), other.held_out(10).unwrap());
            assert_eq!(problems.held_out(10).unwrap()[..4], problems.held_out(4).unwrap()[..]);
        });
    }

    /// What is marked right is accepted and what is marked wrong is not, within the limits of a rollout.
    #[test]
    fn the_verifier_agrees_with_the_marks_of_the_warm_up() {
        everywhere(|task, problems| {
            let limits = task.limits(problems.difficulty());
            let mut right = 0;
            for index in 0..200 {
                let shown = problems.warm_up(index).unwrap();
                let place = format!("{} {}: {shown:?}", task.name(), problems.difficulty());
                let tokens = Characters.encode(&shown.response()).expect("printable ASCII");
                assert!(tokens.len() < limits.max_tokens, "{place}");
                assert!(shown.turns().len() <= limits.max_turns, "{place}");
                Characters.encode(&shown.prompt.text).expect("printable ASCII");
                let score = task.grade(&shown.prompt, &shown.turns()).unwrap();
                assert_eq!(score, f64::from(u8::from(shown.right)), "{place}");
                right += usize::from(shown.right);
            }
            assert!(right > 10, "{}: {right} of 200 solutions are right", task.name());
        });
    }

    #[test]
    fn malformed_responses_are_wrong_and_foreign_prompts_a_failure() {
        let malformed: [&[&str]; 7] =
            [&[], &[""], &["\n"], &["????"], &["=", "="], &["1/0"], &["99999999999999999999"]];
        everywhere(|task, problems| {
            let prompt = problems.training(0).unwrap();
            for turns in malformed {
                assert_eq!(task.grade(&prompt, turns).unwrap(), 0.0, "{} {turns:?}", task.name());
            }
            let foreign = Prompt { text: "What is love?".into(), ..prompt.clone() };
            assert!(task.grade(&foreign, &["1"]).is_err(), "{}", task.name());
            if prompt.reference.is_some() {
                let foreign = Prompt { reference: Some("love".into()), ..prompt };
                assert!(task.grade(&foreign, &["1"]).is_err(), "{}", task.name());
            }
        });
    }

    #[test]
    fn difficulties_outside_the_range_are_refused() {
        let error = Problems::new(find_task("arithmetic").unwrap(), 0, 0).unwrap_err();
        assert!(error.hint().contains("digits"), "{}", error.hint());
        assert!(find_task("arithmetics").unwrap_err().hint().contains("arithmetic"));
    }
}

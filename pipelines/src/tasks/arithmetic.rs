//! Addition with carry, written from the units up.

use meed_operators::Result;
use meed_operators::sample::Prompt;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{Demonstration, Difficulty, Limits, Problem, Said, Task, foreign};

/// Addition: `874+652=` asks for `437`, which is 478 + 256 = 734 with all digits from the units up,
/// the order in which one adds. One response, no step oracle.
///
/// The solutions to warm up on are those of two pupils: most by one who forgets every carry, some by a
/// careful one. A policy that imitates them mostly loses carries; reinforcement makes it keep them.
pub struct Arithmetic;

/// The task `arithmetic`.
pub const ARITHMETIC: Arithmetic = Arithmetic;

/// Share of solutions that are the careful pupil's.
const CAREFUL: f64 = 0.2;

impl Task for Arithmetic {
    fn name(&self) -> &'static str {
        "arithmetic"
    }

    fn title(&self) -> &'static str {
        "addition with carry, digits from the units up: 874+652= is 437"
    }

    fn difficulty(&self) -> Difficulty {
        Difficulty { meaning: "digits of each number", least: 1, most: 9, default: 3 }
    }

    fn limits(&self, difficulty: u32) -> Limits {
        Limits { max_tokens: difficulty as usize + 2, max_turns: 1 }
    }

    fn draw(&self, difficulty: u32, random: &mut ChaCha8Rng) -> Problem {
        let least = if difficulty == 1 { 0 } else { 10_u64.pow(difficulty - 1) };
        let range = least..10_u64.pow(difficulty);
        let (a, b) = (random.random_range(range.clone()), random.random_range(range));
        Problem {
            text: format!("{}+{}=", from_units(a), from_units(b)),
            reference: Some(from_units(a + b)),
            metadata: None,
            content: format!("{}+{}", a.min(b), a.max(b)),
        }
    }

    fn demonstrate(&self, prompt: Prompt, random: &mut ChaCha8Rng) -> Result<Demonstration> {
        let (a, b) = numbers(&prompt)?;
        let answer = sum(a, b, random.random_bool(CAREFUL));
        let right = answer == from_units(a + b);
        Ok(Demonstration { prompt, said: vec![Said { text: answer, policy: true }], right })
    }

    fn grade(&self, prompt: &Prompt, turns: &[&str]) -> Result<f64> {
        let (a, b) = numbers(prompt)?;
        let answer = from_units(a + b);
        if let Some(reference) = prompt.reference.as_deref().filter(|reference| *reference != answer) {
            return Err(foreign(self.name(), "reference", reference));
        }
        Ok(f64::from(u8::from(turns.concat() == answer)))
    }
}

/// Digits from the units up.
fn from_units(number: u64) -> String {
    number.to_string().chars().rev().collect()
}

fn numbers(prompt: &Prompt) -> Result<(u64, u64)> {
    let number = |digits: &str| -> Option<u64> {
        let number = digits.chars().rev().collect::<String>().parse().ok()?;
        (from_units(number) == digits && digits.len() <= 18).then_some(number)
    };
    let parse = || {
        let (a, b) = prompt.text.strip_suffix('=')?.split_once('+')?;
        Some((number(a)?, number(b)?))
    };
    parse().ok_or_else(|| foreign("arithmetic", "prompt", &prompt.text))
}

/// The sum digit by digit from the units up, with or without its carries.
fn sum(mut a: u64, mut b: u64, carries: bool) -> String {
    let (mut answer, mut carry) = (String::new(), 0);
    loop {
        let sum = a % 10 + b % 10 + carry;
        answer.push_str(&(sum % 10).to_string());
        carry = if carries { sum / 10 } else { 0 };
        (a, b) = (a / 10, b / 10);
        if (a, b, carry) == (0, 0, 0) {
            return answer;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::Problems;

    fn prompt(text: &str, reference: Option<&str>) -> Prompt {
        Prompt {
            group_id: "g".into(),
            text: text.into(),
            reference: reference.map(str::to_owned),
            metadata: None,
        }
    }

    #[test]
    fn adds_from_the_units_up() {
        let asked = prompt("874+652=", Some("437"));
        assert_eq!(ARITHMETIC.grade(&asked, &["437"]).unwrap(), 1.0);
        for wrong in ["734", "436", "4370", "437 ", "+437", "327"] {
            assert_eq!(ARITHMETIC.grade(&asked, &[wrong]).unwrap(), 0.0, "{wrong}");
        }
        assert_eq!(sum(478, 256, true), "437");
        assert_eq!(sum(478, 256, false), "426");
        assert_eq!(sum(95, 5, true), "001");
        assert_eq!(sum(0, 0, true), "0");
    }

    #[test]
    fn refuses_other_prompts_and_references() {
        for text in ["874+652", "8+=", "+=", "8-6=", "80+1=x", "10+1=", "8+6+1=", "-8+1="] {
            assert!(ARITHMETIC.grade(&prompt(text, None), &["1"]).is_err(), "{text}");
        }
        assert!(ARITHMETIC.grade(&prompt("8+6=", Some("14")), &["41"]).is_err());
    }

    /// Whoever imitates the pupils is right on less than 40% of the default problems, whether it samples
    /// or takes what is most probable.
    #[test]
    fn imitation_leaves_most_to_learn() {
        let problems = Problems::new(&ARITHMETIC, ARITHMETIC.difficulty().default, 1).unwrap();
        let right = (0..2000).filter(|&index| problems.warm_up(index).unwrap().right).count();
        let held_out = problems.held_out(500).unwrap();
        let greedy = held_out.iter().filter(|prompt| {
            let (a, b) = numbers(prompt).unwrap();
            ARITHMETIC.grade(prompt, &[&sum(a, b, false)]).unwrap() == 1.0
        });
        let greedy = greedy.count();
        assert!((400..760).contains(&right), "{right} of 2000");
        assert!((25..180).contains(&greedy), "{greedy} of 500");
    }
}

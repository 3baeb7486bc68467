//! Addition with carry, column by column from the units up.

use meed_operators::Result;
use meed_operators::sample::Prompt;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{Demonstration, Difficulty, Limits, Problem, Said, Task, foreign};

/// Addition: `86 75 42=` asks for 478 + 256 column by column from the units up, and its answer is
/// `14 13 07`: each column's sum with its carry, in two digits. Whoever writes a sum so sees every digit
/// that the next one depends on at the same distance, and needs no digit of the result before its column:
/// what makes addition hard for small models is left out, what makes it addition is not. Problems of
/// more than one column carry at least once. One response, no step oracle.
///
/// The solutions to warm up on are those of two pupils: most by one who forgets every carry, some by a
/// careful one. A policy that imitates them mostly loses carries; reinforcement makes it keep them.
pub struct Arithmetic;

/// The task `arithmetic`.
pub const ARITHMETIC: Arithmetic = Arithmetic;

const MOST_DIGITS: u32 = 9;

/// Share of solutions that are the careful pupil's.
const CAREFUL: f64 = 0.3;

impl Task for Arithmetic {
    fn name(&self) -> &'static str {
        "arithmetic"
    }

    fn title(&self) -> &'static str {
        "addition with carry, column by column from the units up: 86 75 42= is 14 13 07"
    }

    fn difficulty(&self) -> Difficulty {
        Difficulty { meaning: "digits of each number", least: 1, most: MOST_DIGITS, default: 3 }
    }

    fn limits(&self, difficulty: u32) -> Limits {
        Limits { max_tokens: 3 * difficulty as usize, max_turns: 1 }
    }

    fn draw(&self, difficulty: u32, random: &mut ChaCha8Rng) -> Problem {
        let least = if difficulty == 1 { 0 } else { 10_u64.pow(difficulty - 1) };
        let range = least..10_u64.pow(difficulty);
        let (a, b) = loop {
            let (a, b) = (random.random_range(range.clone()), random.random_range(range.clone()));
            if difficulty == 1 || sums(a, b, difficulty, false) != sums(a, b, difficulty, true) {
                break (a, b);
            }
        };
        Problem {
            text: format!("{}=", columns(a, b, difficulty)),
            reference: Some(sums(a, b, difficulty, true)),
            metadata: None,
            content: format!("{}+{}", a.min(b), a.max(b)),
        }
    }

    fn demonstrate(&self, prompt: Prompt, random: &mut ChaCha8Rng) -> Result<Demonstration> {
        let (a, b, digits) = numbers(&prompt)?;
        let text = sums(a, b, digits, random.random_bool(CAREFUL));
        let right = text == sums(a, b, digits, true);
        Ok(Demonstration { prompt, said: vec![Said { text, policy: true }], right })
    }

    fn grade(&self, prompt: &Prompt, turns: &[&str]) -> Result<f64> {
        let (a, b, digits) = numbers(prompt)?;
        let answer = sums(a, b, digits, true);
        if let Some(reference) = prompt.reference.as_deref().filter(|reference| *reference != answer) {
            return Err(foreign(self.name(), "reference", reference));
        }
        Ok(f64::from(u8::from(turns.concat() == answer)))
    }
}

/// The columns of an addition, from the units up.
fn columns(a: u64, b: u64, digits: u32) -> String {
    let column = |place: u32| format!("{}{}", a / 10_u64.pow(place) % 10, b / 10_u64.pow(place) % 10);
    (0..digits).map(column).collect::<Vec<String>>().join(" ")
}

/// The sums of the columns, from the units up, with or without what the column before carries.
fn sums(a: u64, b: u64, digits: u32, carries: bool) -> String {
    let mut carry = 0;
    let sum = |place: u32| {
        let sum = a / 10_u64.pow(place) % 10 + b / 10_u64.pow(place) % 10 + carry;
        carry = if carries { sum / 10 } else { 0 };
        format!("{sum:02}")
    };
    (0..digits).map(sum).collect::<Vec<String>>().join(" ")
}

/// The two numbers of a prompt, and their number of digits.
fn numbers(prompt: &Prompt) -> Result<(u64, u64, u32)> {
    let parse = || {
        let columns: Vec<&[u8]> = prompt.text.strip_suffix('=')?.split(' ').map(str::as_bytes).collect();
        let (mut a, mut b) = (0, 0);
        for column in columns.iter().rev() {
            match column {
                [x @ b'0'..=b'9', y @ b'0'..=b'9'] => {
                    (a, b) = (10 * a + u64::from(x - b'0'), 10 * b + u64::from(y - b'0'));
                }
                _ => return None,
            }
        }
        (columns.len() <= MOST_DIGITS as usize).then_some((a, b, columns.len() as u32))
    };
    parse().ok_or_else(|| foreign("arithmetic", "prompt", &prompt.text))
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
        let asked = prompt("86 75 42=", Some("14 13 07"));
        assert_eq!(numbers(&asked).unwrap(), (478, 256, 3));
        assert_eq!(ARITHMETIC.grade(&asked, &["14 13 07"]).unwrap(), 1.0);
        for wrong in ["14 12 06", "14 13 08", "14 13 07 ", "14 13 7", "141307", "734", "14 13 07 00"] {
            assert_eq!(ARITHMETIC.grade(&asked, &[wrong]).unwrap(), 0.0, "{wrong}");
        }
        assert_eq!(sums(478, 256, 3, false), "14 12 06");
        assert_eq!(sums(95, 5, 2, true), "10 10");
        assert_eq!(columns(478, 256, 3), "86 75 42");
    }

    #[test]
    fn refuses_other_prompts_and_references() {
        for text in ["86 75 42", "86 75 4=", "86 75  42=", "8a=", "=", "864=", "86+75=", "86 75 42=x"] {
            assert!(ARITHMETIC.grade(&prompt(text, None), &["1"]).is_err(), "{text}");
        }
        let long = format!("{}11=", "11 ".repeat(9));
        assert!(ARITHMETIC.grade(&prompt(&long, None), &["1"]).is_err());
        assert!(ARITHMETIC.grade(&prompt("86=", Some("41")), &["14"]).is_err());
    }

    /// Whoever imitates the pupils is right on about three in ten problems when it samples,
    /// and on none when it takes what is most probable.
    #[test]
    fn imitation_leaves_most_to_learn() {
        let problems = Problems::new(&ARITHMETIC, ARITHMETIC.difficulty().default, 1).unwrap();
        let right = (0..2000).filter(|&index| problems.warm_up(index).unwrap().right).count();
        assert!((530..670).contains(&right), "{right} of 2000");
        for prompt in problems.held_out(200).unwrap() {
            let (a, b, digits) = numbers(&prompt).unwrap();
            assert_eq!(ARITHMETIC.grade(&prompt, &[&sums(a, b, digits, false)]).unwrap(), 0.0);
        }
    }
}

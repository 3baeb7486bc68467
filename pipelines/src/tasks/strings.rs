//! String transformations: reverse, sort, rotate, upper case, copy.

use meed_operators::Result;
use meed_operators::sample::Prompt;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{Demonstration, Difficulty, Limits, Problem, Said, Task, foreign};

/// Transforming a word: `sort cab=` asks for `abc`. One response, no step oracle.
///
/// Some of the solutions to warm up on have two neighbouring letters swapped.
pub struct Strings;

/// The task `strings`.
pub const STRINGS: Strings = Strings;

/// Share of solutions with a slip.
const SLIPS: f64 = 0.5;

type Transformation = fn(&str) -> String;

/// What may be asked, by name.
const TRANSFORMATIONS: &[(&str, Transformation)] = &[
    ("reverse", |word| word.chars().rev().collect()),
    ("sort", |word| {
        let mut letters: Vec<char> = word.chars().collect();
        letters.sort_unstable();
        letters.into_iter().collect()
    }),
    ("rotate", |word| word.chars().skip(1).chain(word.chars().take(1)).collect()),
    ("upper", |word| word.to_ascii_uppercase()),
    ("copy", str::to_owned),
];

impl Task for Strings {
    fn name(&self) -> &'static str {
        "strings"
    }

    fn title(&self) -> &'static str {
        "transforming a word: sort cab= is abc"
    }

    fn difficulty(&self) -> Difficulty {
        Difficulty { meaning: "letters of the word", least: 2, most: 16, default: 5 }
    }

    fn limits(&self, difficulty: u32) -> Limits {
        Limits { max_tokens: difficulty as usize + 1, max_turns: 1 }
    }

    fn draw(&self, difficulty: u32, random: &mut ChaCha8Rng) -> Problem {
        let (name, transform) =
            TRANSFORMATIONS[random.random_range(0..TRANSFORMATIONS.len() as u32) as usize];
        let word: String = (0..difficulty).map(|_| char::from(random.random_range(b'a'..=b'z'))).collect();
        let text = format!("{name} {word}=");
        Problem { content: text.clone(), text, reference: Some(transform(&word)), metadata: None }
    }

    fn demonstrate(&self, prompt: Prompt, random: &mut ChaCha8Rng) -> Result<Demonstration> {
        let wanted = answer(&prompt)?;
        let mut letters: Vec<char> = wanted.chars().collect();
        if letters.len() > 1 && random.random_bool(SLIPS) {
            let first = random.random_range(0..letters.len() as u32 - 1) as usize;
            letters.swap(first, first + 1);
        }
        let text: String = letters.into_iter().collect();
        let right = text == wanted;
        Ok(Demonstration { prompt, said: vec![Said { text, policy: true }], right })
    }

    fn grade(&self, prompt: &Prompt, turns: &[&str]) -> Result<f64> {
        let wanted = answer(prompt)?;
        if let Some(reference) = prompt.reference.as_deref().filter(|reference| *reference != wanted) {
            return Err(foreign(self.name(), "reference", reference));
        }
        Ok(f64::from(u8::from(turns.concat() == wanted)))
    }
}

fn answer(prompt: &Prompt) -> Result<String> {
    let parse = || {
        let (name, word) = prompt.text.strip_suffix('=')?.split_once(' ')?;
        let (_, transform) = TRANSFORMATIONS.iter().find(|(known, _)| *known == name)?;
        let letters = !word.is_empty() && word.bytes().all(|letter| letter.is_ascii_lowercase());
        letters.then(|| transform(word))
    };
    parse().ok_or_else(|| foreign("strings", "prompt", &prompt.text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grade(text: &str, response: &str) -> Result<f64> {
        let text = text.to_owned();
        STRINGS.grade(&Prompt { group_id: "g".into(), text, reference: None, metadata: None }, &[response])
    }

    #[test]
    fn every_transformation_is_what_its_name_says() {
        for (text, wanted) in [
            ("reverse cabd=", "dbac"),
            ("sort cabd=", "abcd"),
            ("rotate cabd=", "abdc"),
            ("upper cabd=", "CABD"),
            ("copy cabd=", "cabd"),
        ] {
            assert_eq!(grade(text, wanted).unwrap(), 1.0, "{text}");
            for wrong in [&wanted[1..], &format!("{wanted} "), "cadb", "abdC"] {
                assert_eq!(grade(text, wrong).unwrap(), 0.0, "{text} {wrong}");
            }
        }
    }

    #[test]
    fn refuses_other_prompts() {
        for text in ["sort cab", "shuffle cab=", "sort =", "sort c b=", "sort CAB=", "sort1+2="] {
            assert!(grade(text, "abc").is_err(), "{text}");
        }
    }
}

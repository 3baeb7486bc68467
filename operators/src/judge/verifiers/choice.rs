//! `multiple_choice`: the letter that is chosen is that of the reference.

use async_trait::async_trait;
use regex::Regex;
use serde_json::{Value, json};

use super::Answer;
use crate::judge::{Failure, Judge, JudgeContext, Judged};
use crate::{Error, Result};

/// 1 where the answer chooses the letter that `reference` chooses, else 0.
///
/// The chosen letter is, in this order: the answer itself where it is only a letter (`B`, `(b)`,
/// `**B.**`); the last capital after `answer`, `option` or `choice` (`the answer is B`); the last
/// capital in brackets (`(B)`) or before a bracket or point at the begin of a line (`B) Paris`). A
/// capital anywhere else is text: `A dog` chooses nothing.
#[derive(Debug, Clone)]
pub struct MultipleChoice {
    answer: Answer,
    letters: String,
    alone: Regex,
    said: Regex,
    marked: Regex,
}

impl MultipleChoice {
    /// A judge of choices among the letters, such as `ABCD`.
    ///
    /// # Errors
    /// Letters that are none, or no letters at all.
    pub fn new(answer: Answer, letters: &str) -> Result<Self> {
        if letters.is_empty() || !letters.bytes().all(|letter| letter.is_ascii_uppercase()) {
            return Err(Error::usage(
                format!("`{letters}` are no letters of choices"),
                "write them as capital letters, such as ABCD",
            ));
        }
        let regex = |pattern: String| {
            Regex::new(&pattern).map_err(|error| Error::external("compiling a pattern", error, ""))
        };
        let small = letters.to_lowercase();
        Ok(MultipleChoice {
            answer,
            letters: letters.to_owned(),
            alone: regex(format!(r"^[\s(\[*$]*([{letters}{small}])[\s)\].:*$]*$"))?,
            said: regex(format!(
                r"(?i:answer|option|choice)(?i:\s+is|\s*[:=])?[\s(\[*$]*([{letters}])(?:[^A-Za-z0-9']|$)"
            ))?,
            marked: regex(format!(r"\(([{letters}])\)|(?m:^)\s*([{letters}])[).:]"))?,
        })
    }

    /// The letter that a text chooses.
    pub fn chosen(&self, text: &str) -> Option<char> {
        let last = |pattern: &Regex| {
            let found = pattern.captures_iter(text).last()?;
            let letter = found.iter().skip(1).flatten().next()?;
            letter.as_str().chars().next()
        };
        let letter = last(&self.alone).or_else(|| last(&self.said)).or_else(|| last(&self.marked))?;
        Some(letter.to_ascii_uppercase())
    }
}

#[async_trait]
impl Judge for MultipleChoice {
    fn name(&self) -> &str {
        "multiple_choice"
    }

    fn version(&self) -> &str {
        "1"
    }

    fn parameters(&self) -> Value {
        json!({ "answer": self.answer.parameters(), "letters": self.letters })
    }

    fn level(&self) -> &str {
        "rollout"
    }

    fn reads(&self) -> Vec<String> {
        vec!["response".into(), "reference".into()]
    }

    async fn judge(
        &self,
        rollout: Judged<'_>,
        _: &JudgeContext,
    ) -> std::result::Result<Vec<Option<f64>>, Failure> {
        let reference = rollout.text("reference")?;
        let reference = self.chosen(reference).ok_or_else(|| {
            Failure::Missing(format!("the reference `{reference}` is none of the choices {}", self.letters))
        })?;
        let chosen = self.answer.find(rollout.text("response")?).and_then(|answer| self.chosen(answer));
        Ok(vec![Some(f64::from(chosen == Some(reference)))])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_are_chosen() {
        let judge = MultipleChoice::new(Answer::Whole, "ABCD").unwrap();
        for (text, letter) in [
            ("B", Some('B')),
            ("(b)", Some('B')),
            ("**C.**", Some('C')),
            ("The answer is D.", Some('D')),
            ("Answer: (A)", Some('A')),
            ("I first took option A, but the answer is C", Some('C')),
            ("the answer is a dog", None),
            ("A dog barks", None),
            ("I choose (B) because", Some('B')),
            ("B) Paris", Some('B')),
            ("the answer is E", None),
            ("Answer: Berlin", None),
            ("", None),
        ] {
            assert_eq!(judge.chosen(text), letter, "{text}");
        }
        assert!(MultipleChoice::new(Answer::Whole, "").is_err());
        assert!(MultipleChoice::new(Answer::Whole, "A-D").is_err());
    }
}

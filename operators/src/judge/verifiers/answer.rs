//! Where in a response its final answer stands.

use serde_json::{Value, json};

use crate::{Error, Result};

/// How the final answer is taken from a response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Answer {
    /// The whole response.
    #[default]
    Whole,
    /// What follows the last occurrence of a marker, to the end of that line: `####`, `A:`,
    /// `The answer is`.
    After(String),
    /// The last line that is not blank.
    LastLine,
    /// The content of the last `\boxed{}`, whose braces may nest.
    Boxed,
}

impl Answer {
    /// From parameters: `whole`, `last_line`, `boxed`, or `after` with a marker.
    ///
    /// # Errors
    /// Another word, or `after` without a marker.
    pub fn of(place: &str, marker: &str) -> Result<Self> {
        match (place, marker) {
            ("whole", "") => Ok(Answer::Whole),
            ("last_line", "") => Ok(Answer::LastLine),
            ("boxed", "") => Ok(Answer::Boxed),
            ("after", "") => Err(Error::usage("the marker after which the answer stands is empty", HINT)),
            ("after" | "whole", marker) => Ok(Answer::After(marker.to_owned())),
            ("last_line" | "boxed", _) => Err(Error::usage(format!("answer={place} takes no marker"), HINT)),
            _ => Err(Error::usage(format!("there is no answer={place}"), HINT)),
        }
    }

    /// The answer in a response, without blanks around it; `None` where it gives none.
    ///
    /// ```
    /// use meed_operators::judge::verifiers::Answer;
    /// assert_eq!(Answer::After("A:".into()).find("so 9 * 2 = 18\nA: 18\n"), Some("18"));
    /// assert_eq!(Answer::Boxed.find(r"thus $\boxed{\frac{1}{2}}$."), Some(r"\frac{1}{2}"));
    /// assert_eq!(Answer::LastLine.find("first\nlast\n\n"), Some("last"));
    /// assert_eq!(Answer::Boxed.find("no box"), None);
    /// ```
    pub fn find<'a>(&self, response: &'a str) -> Option<&'a str> {
        let found = match self {
            Answer::Whole => response,
            Answer::After(marker) => {
                let (_, rest) = response.rsplit_once(marker.as_str())?;
                rest.lines().next().unwrap_or_default()
            }
            Answer::LastLine => response.lines().rev().find(|line| !line.trim().is_empty())?,
            Answer::Boxed => boxed(response)?,
        };
        Some(found.trim()).filter(|found| !found.is_empty())
    }

    /// As parameters, for lineage.
    pub fn parameters(&self) -> Value {
        match self {
            Answer::Whole => json!("whole"),
            Answer::After(marker) => json!({ "after": marker }),
            Answer::LastLine => json!("last_line"),
            Answer::Boxed => json!("boxed"),
        }
    }
}

const HINT: &str = "answer is whole, last_line, boxed, or after with marker=<text>";

/// The content of the last box that is closed.
fn boxed(response: &str) -> Option<&str> {
    const OPEN: &str = r"\boxed{";
    response.rmatch_indices(OPEN).find_map(|(at, _)| {
        let inside = &response[at + OPEN.len()..];
        let mut depth = 1;
        let end = inside.char_indices().find(|(_, character)| {
            match character {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            depth == 0
        });
        end.map(|(end, _)| &inside[..end])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_counts() {
        let after = Answer::After("####".into());
        assert_eq!(after.find("#### 1\n#### 2 \nmore"), Some("2"));
        assert_eq!(after.find("####"), None, "an empty answer is none");
        assert_eq!(Answer::Boxed.find(r"\boxed{1} and \boxed{2}"), Some("2"));
        assert_eq!(Answer::Boxed.find(r"\boxed{1} and \boxed{2"), Some("1"), "an open box is none");
        assert_eq!(Answer::Boxed.find(r"\boxed{{a}{b}}"), Some("{a}{b}"));
        assert_eq!(Answer::Whole.find(" \n"), None);
    }

    #[test]
    fn parameters_are_checked() {
        assert_eq!(Answer::of("after", "A:").unwrap(), Answer::After("A:".into()));
        assert_eq!(Answer::of("boxed", "").unwrap(), Answer::Boxed);
        for (place, marker) in [("after", ""), ("boxed", "x"), ("somewhere", "")] {
            assert!(Answer::of(place, marker).is_err(), "{place} {marker}");
        }
    }
}

//! Scores of words brought to the tokens that spell them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Builder, Int64Builder, ListBuilder, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type};

use super::AddSignals;
use crate::columns::list_of;
use crate::credit::{Unit, provider};
use crate::{Error, Result};

/// Adds `token_aligned_scores`, the score of the word that a token belongs to and 0 at every other token, and
/// `skipped_words`, the number of words that were given up.
///
/// Words are sought in order from where the last one ended, at up to `attempts` consecutive tokens; a word that
/// begins at none of them is skipped. A word is as many as nine tokens, joined without the spaces around them
/// and compared without case; curly apostrophes are straight. Tokens without a letter or digit, and special
/// tokens in `<...>`, get 0 inside a word too. As in Text2Grad no word reaches the very last token, and where
/// the tokens run out before a word is given up the rest is 0.
///
/// A rollout without words (null) has no scores.
///
/// ```
/// use meed_operators::signals::AlignWords;
/// let aligned = AlignWords { attempts: 5 }.align(&["say", "s", "zz", "Cat", "."], &[("says", 1.0), ("cat", -1.0)]);
/// assert_eq!(aligned.scores, [1.0, 1.0, 0.0, -1.0, 0.0]);
/// assert_eq!(aligned.skipped, 0);
/// ```
#[derive(Debug, Clone)]
pub struct AlignWords {
    /// At how many tokens a word is sought.
    pub attempts: usize,
}

/// Where words were found.
#[derive(Debug, Clone, PartialEq)]
pub struct Aligned {
    /// One score per token.
    pub scores: Vec<f64>,
    /// Number of words that were not found.
    pub skipped: usize,
}

/// The most tokens that spell one word.
const LONGEST: usize = 9;

impl AddSignals for AlignWords {
    fn name(&self) -> &str {
        "align_words"
    }

    fn reads(&self) -> Vec<String> {
        ["token_texts", "word_texts", "word_scores"].map(str::to_owned).to_vec()
    }

    fn adds(&self) -> Vec<Field> {
        vec![
            Field::new("token_aligned_scores", list_of(DataType::Float64), true),
            Field::new("skipped_words", DataType::Int64, true),
        ]
    }

    fn apply(&self, unit: &Unit) -> Result<Vec<ArrayRef>> {
        let list = |name: &str| {
            unit.list(name).ok_or_else(|| Error::MissingSignal {
                recipe: "align_words".into(),
                signal: name.into(),
                hint: provider(name).into(),
            })
        };
        let (tokens, words, scores) = (list("token_texts")?, list("word_texts")?, list("word_scores")?);
        let field = Arc::new(Field::new("element", DataType::Float64, true));
        let mut aligned = ListBuilder::new(Float64Builder::new()).with_field(field);
        let mut skipped = Int64Builder::new();
        for row in 0..unit.rows() {
            if tokens.is_null(row) || words.is_null(row) || scores.is_null(row) {
                aligned.append(false);
                skipped.append_null();
                continue;
            }
            let texts = |column: &ArrayRef| -> Result<StringArray> {
                Ok(cast(column, &DataType::Utf8)?.as_string::<i32>().clone())
            };
            let (of_tokens, of_words) = (texts(&tokens.value(row))?, texts(&words.value(row))?);
            let numbers = cast(&scores.value(row), &DataType::Float64)?;
            let numbers = numbers.as_primitive::<Float64Type>();
            let of_tokens: Vec<&str> = of_tokens.iter().map(Option::unwrap_or_default).collect();
            // A word without a score is sought like any other, so that what follows it keeps its place; its
            // tokens have none either.
            let of_words: Vec<(&str, f64)> = of_words
                .iter()
                .zip(numbers.iter())
                .map(|(word, score)| (word.unwrap_or_default(), score.unwrap_or(f64::NAN)))
                .collect();
            let found = self.align(&of_tokens, &of_words);
            found.scores.iter().for_each(|x| aligned.values().append_option((!x.is_nan()).then_some(*x)));
            aligned.append(true);
            skipped.append_value(found.skipped as i64);
        }
        Ok(vec![Arc::new(aligned.finish()), Arc::new(skipped.finish())])
    }
}

impl AlignWords {
    /// The scores of words, in order, on tokens.
    pub fn align(&self, tokens: &[&str], words: &[(&str, f64)]) -> Aligned {
        let tokens: Vec<String> = tokens.iter().map(|token| plain(token.trim())).collect();
        let words = words.iter().filter(|(word, _)| !word.trim().is_empty());
        let mut aligned = Aligned { scores: vec![0.0; tokens.len()], skipped: 0 };
        let mut from = 0;
        for (word, score) in words {
            let word = plain(word);
            let within = from..tokens.len().min(from + self.attempts);
            let complete = within.len() == self.attempts && within.end < tokens.len();
            let found = within.clone().find_map(|at| Some((at, spelt(&tokens[at..], &word)?)));
            match found {
                Some((at, length)) => {
                    from = at + length;
                    let inside = aligned.scores[at..from].iter_mut().zip(&tokens[at..from]);
                    inside.filter(|(_, token)| !special(token)).for_each(|(slot, _)| *slot = *score);
                }
                None if complete => aligned.skipped += 1,
                None => break,
            }
        }
        aligned
    }
}

/// Number of the first tokens that spell the word, never the last token.
fn spelt(tokens: &[String], word: &str) -> Option<usize> {
    let mut joined = String::new();
    for (before, token) in tokens[..tokens.len().saturating_sub(1)].iter().take(LONGEST).enumerate() {
        joined.push_str(token);
        if joined == word {
            return Some(before + 1);
        }
        if !word.starts_with(&joined) {
            return None;
        }
    }
    None
}

fn plain(text: &str) -> String {
    text.to_lowercase().replace(['‘', '’', '‛'], "'")
}

fn special(token: &str) -> bool {
    token.starts_with('<') || !token.chars().any(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(tokens: &[&str], words: &[(&str, f64)]) -> Vec<f64> {
        AlignWords { attempts: 3 }.align(tokens, words).scores
    }

    #[test]
    fn words_that_are_not_there_are_skipped() {
        let tokens = ["a", "b", "c", "d", "e"];
        let aligned = AlignWords { attempts: 3 }.align(&tokens, &[("x", 1.0), ("c", -1.0)]);
        assert_eq!(aligned, Aligned { scores: vec![0.0, 0.0, -1.0, 0.0, 0.0], skipped: 1 });
        assert_eq!(scores(&tokens, &[("d", 1.0), ("c", -1.0)]), [0.0, 0.0, -1.0, 0.0, 0.0]);
    }

    #[test]
    fn the_search_ends_with_the_tokens() {
        let tokens = ["a", "b", "c"];
        let aligned = AlignWords { attempts: 3 }.align(&tokens, &[("x", 1.0), ("a", 1.0)]);
        assert_eq!(aligned, Aligned { scores: vec![0.0; 3], skipped: 0 });
    }

    #[test]
    fn the_last_token_is_never_part_of_a_word() {
        assert_eq!(scores(&["a", "b"], &[("a", 1.0), ("b", 1.0)]), [1.0, 0.0]);
        assert_eq!(scores(&["a", "b"], &[("ab", 1.0)]), [0.0, 0.0]);
        assert_eq!(scores(&[], &[("a", 1.0)]), [0.0; 0]);
        assert_eq!(scores(&["a"], &[]), [0.0]);
    }

    #[test]
    fn punctuation_inside_a_word_has_no_score() {
        assert_eq!(scores(&[" Don", "’", "t", "."], &[("don't", 1.0)]), [1.0, 0.0, 1.0, 0.0]);
    }
}

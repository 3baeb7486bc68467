//! From text to token ids and back.

use crate::{Error, Result};

/// A tokenizer with a token that ends a response.
pub trait Tokenizer: Send + Sync {
    /// Number of token ids.
    fn vocabulary_size(&self) -> usize;

    /// The token that ends a response.
    fn end(&self) -> i32;

    /// Token ids of a text.
    ///
    /// # Errors
    /// A text that cannot be written with the vocabulary.
    fn encode(&self, text: &str) -> Result<Vec<i32>>;

    /// The text of token ids; the end token is left out.
    fn decode(&self, tokens: &[i32]) -> Result<String>;
}

/// One token per printable ASCII character and line feed, for small models of small tasks.
///
/// ```
/// use meed_operators::policy::{Characters, Tokenizer};
/// let tokens = Characters.encode("1+1=\n")?;
/// assert_eq!(Characters.decode(&tokens)?, "1+1=\n");
/// assert!(tokens.iter().all(|token| (*token as usize) < Characters.vocabulary_size()));
/// # Ok::<(), meed_operators::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Characters;

/// Id of the end token; line feed is 1, and the space is 2.
const END: i32 = 0;
const LINE_FEED: i32 = 1;
const FIRST: u8 = b' ';
const LAST: u8 = b'~';
const OFFSET: i32 = 2;

impl Tokenizer for Characters {
    fn vocabulary_size(&self) -> usize {
        (LAST - FIRST) as usize + 1 + OFFSET as usize
    }

    fn end(&self) -> i32 {
        END
    }

    fn encode(&self, text: &str) -> Result<Vec<i32>> {
        text.bytes()
            .map(|byte| match byte {
                b'\n' => Ok(LINE_FEED),
                FIRST..=LAST => Ok(i32::from(byte - FIRST) + OFFSET),
                _ => Err(Error::usage(
                    format!("`{text}` has a character outside printable ASCII"),
                    "the character tokenizer knows only those; use a model with a tokenizer.json",
                )),
            })
            .collect()
    }

    fn decode(&self, tokens: &[i32]) -> Result<String> {
        tokens
            .iter()
            .filter(|token| **token != END)
            .map(|token| match *token {
                LINE_FEED => Ok('\n'),
                id => u8::try_from(id - OFFSET)
                    .ok()
                    .map(|index| index + FIRST)
                    .filter(|byte| *byte <= LAST)
                    .map(char::from)
                    .ok_or_else(|| {
                        Error::usage(
                            format!("{id} is no token of the character tokenizer"),
                            "ids are 0 to 96",
                        )
                    }),
            })
            .collect()
    }
}

//! Text to token ids: one token per UTF-8 byte, or what a `tokenizer.json` says.

use std::path::Path;
use std::sync::Arc;

use meed_operators::{Error, Result};

/// How text without token ids becomes tokens.
///
/// ```
/// use meed_connectors::import::Tokenization;
/// assert_eq!(Tokenization::Bytes.encode("né").unwrap(), [110, 195, 169]);
/// ```
#[derive(Clone, Default)]
pub enum Tokenization {
    /// One token per UTF-8 byte; the id is the byte.
    #[default]
    Bytes,
    /// A tokenizer of the `tokenizers` library, without truncation and padding. Special tokens
    /// that it would add around a text are left out.
    Tokenizer(Arc<tokenizers::Tokenizer>),
}

impl Tokenization {
    /// Reads a `tokenizer.json`.
    ///
    /// # Errors
    /// A file that cannot be read, or is not a tokenizer.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let what = format!("reading the tokenizer {}", path.display());
        let json = std::fs::read(path)
            .map_err(|error| Error::external(&what, error, "give the path of a readable tokenizer.json"))?;
        let mut tokenizer = tokenizers::Tokenizer::from_bytes(json).map_err(|error| {
            Error::external(&what, error, "give a tokenizer.json as the `tokenizers` library writes it")
        })?;
        // Both would change the number of tokens: a rollout is recorded whole and unpadded.
        tokenizer.with_padding(None);
        tokenizer
            .with_truncation(None)
            .map_err(|error| Error::external(&what, error, "remove the truncation from the tokenizer"))?;
        Ok(Tokenization::Tokenizer(Arc::new(tokenizer)))
    }

    /// Token ids of a text.
    ///
    /// # Errors
    /// A tokenizer that refuses the text, or an id above the range of a 32-bit integer.
    pub fn encode(&self, text: &str) -> Result<Vec<i32>> {
        let tokenizer = match self {
            Tokenization::Bytes => return Ok(text.bytes().map(i32::from).collect()),
            Tokenization::Tokenizer(tokenizer) => tokenizer,
        };
        let hint = "check that the tokenizer covers this text";
        let encoding =
            tokenizer.encode_fast(text, false).map_err(|error| Error::external("tokenising", error, hint))?;
        let ids = encoding.get_ids().iter().map(|&id| i32::try_from(id));
        ids.collect::<std::result::Result<_, _>>().map_err(|error| Error::external("tokenising", error, hint))
    }

    /// The text of each token by itself; a token of a part of a character is not readable alone.
    ///
    /// # Errors
    /// An id that the tokenizer does not know.
    pub fn texts(&self, ids: &[i32]) -> Result<Vec<String>> {
        let text = |&id: &i32| match self {
            Tokenization::Bytes => Ok(u8::try_from(id).map_or(String::new(), |byte| char::from(byte).into())),
            Tokenization::Tokenizer(tokenizer) => u32::try_from(id)
                .map_err(|error| error.to_string())
                .and_then(|id| tokenizer.decode(&[id], false).map_err(|error| error.to_string()))
                .map_err(|error| {
                    Error::external("reading tokens", error, "give the tokenizer that wrote these ids")
                }),
        };
        ids.iter().map(text).collect()
    }
}

impl std::fmt::Debug for Tokenization {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Tokenization::Bytes => "Bytes",
            Tokenization::Tokenizer(_) => "Tokenizer",
        })
    }
}

//! The tokenizer of a Hugging Face model: `tokenizer.json` and the token that ends a response.

use std::path::Path;

use serde_json::Value;
use tokenizers::Tokenizer as Library;

use crate::policy::Tokenizer;
use crate::{Error, Place, Result};

/// A tokenizer from a model's directory. Texts are encoded as they are: neither a first token nor a chat
/// template is added, because prompts are put together from parts.
pub struct HuggingFaceTokenizer {
    library: Library,
    end: i32,
    /// The token that stands for what cannot be written, where there is one.
    unknown: Option<u32>,
}

impl HuggingFaceTokenizer {
    /// Reads `tokenizer.json`. The end token is the `eos_token` of `tokenizer_config.json`, else the (first)
    /// `eos_token_id` of `generation_config.json`, else that of `config.json`.
    ///
    /// # Errors
    /// A file that is missing or damaged; a model that names no end token.
    pub fn read(directory: &Path) -> Result<Self> {
        let path = directory.join("tokenizer.json");
        let library = Library::from_file(&path).map_err(|source| {
            Error::external(format!("reading {}", path.display()), source, "fetch the model's tokenizer.json")
        })?;
        let end = end(directory, &library)?;
        let unknown = ["<unk>", "[UNK]", "<|unk|>"].iter().find_map(|text| library.token_to_id(text));
        Ok(HuggingFaceTokenizer { library, end, unknown })
    }

    /// The id of a token by its text, as for further stop tokens.
    pub fn token(&self, text: &str) -> Option<i32> {
        self.library.token_to_id(text).and_then(|id| i32::try_from(id).ok())
    }
}

fn end(directory: &Path, library: &Library) -> Result<i32> {
    let place = |file: &str| Place::file(directory.join(file).display().to_string());
    if let Some(config) = json(&directory.join("tokenizer_config.json"))? {
        let token = match &config["eos_token"] {
            Value::Object(token) => token.get("content").and_then(Value::as_str),
            token => token.as_str(),
        };
        if let Some(text) = token {
            let id = library.token_to_id(text).and_then(|id| i32::try_from(id).ok());
            return id.ok_or_else(|| {
                let message = format!("the end token `{text}` is not in tokenizer.json");
                Error::data(
                    place("tokenizer_config.json").column("eos_token"),
                    message,
                    "fetch both files again",
                )
            });
        }
    }
    for file in ["generation_config.json", "config.json"] {
        let Some(config) = json(&directory.join(file))? else { continue };
        let id = match &config["eos_token_id"] {
            Value::Array(ids) => ids.first().cloned().unwrap_or(Value::Null),
            id => id.clone(),
        };
        if id.is_null() {
            continue;
        }
        let known = |id: &i32| *id >= 0 && (*id as usize) < library.get_vocab_size(true);
        return id.as_i64().and_then(|id| i32::try_from(id).ok()).filter(known).ok_or_else(|| {
            Error::data(
                place(file).column("eos_token_id"),
                format!("{id} is no token"),
                "fetch the file again",
            )
        });
    }
    Err(Error::usage(
        format!("the model in {} names no token that ends a response", directory.display()),
        "add `eos_token_id` to its config.json",
    ))
}

/// The contents of a JSON file; `None` where there is none.
fn json(path: &Path) -> Result<Option<Value>> {
    if !path.is_file() {
        return Ok(None);
    }
    let reading = || format!("reading {}", path.display());
    let text = std::fs::read_to_string(path).map_err(|source| Error::external(reading(), source, ""))?;
    let value = serde_json::from_str(&text)
        .map_err(|source| Error::external(reading(), source, "the file is not JSON"))?;
    Ok(Some(value))
}

impl Tokenizer for HuggingFaceTokenizer {
    fn vocabulary_size(&self) -> usize {
        self.library.get_vocab_size(true)
    }

    fn end(&self) -> i32 {
        self.end
    }

    fn encode(&self, text: &str) -> Result<Vec<i32>> {
        let encoding = self
            .library
            .encode(text, false)
            .map_err(|source| Error::external(format!("tokenizing `{text}`"), source, ""))?;
        // The library leaves out, or replaces, what its vocabulary lacks.
        let covered =
            |at: usize| encoding.get_offsets().iter().any(|(start, end)| (*start..*end).contains(&at));
        let lost =
            encoding.get_ids().iter().any(|id| Some(*id) == self.unknown).then_some('?').or_else(|| {
                let mut characters = text.char_indices().filter(|(_, character)| !character.is_whitespace());
                characters.find(|(at, _)| !covered(*at)).map(|(_, character)| character)
            });
        if let Some(character) = lost {
            return Err(Error::usage(
                format!("`{text}` cannot be written with the model's tokens (`{character}`)"),
                "use a model whose tokenizer knows these characters",
            ));
        }
        encoding
            .get_ids()
            .iter()
            .map(|id| i32::try_from(*id).map_err(|source| Error::external("tokenizing", source, "")))
            .collect()
    }

    fn decode(&self, tokens: &[i32]) -> Result<String> {
        let ids: Vec<u32> = tokens
            .iter()
            .filter(|token| **token != self.end)
            .map(|token| {
                u32::try_from(*token).ok().filter(|id| self.library.id_to_token(*id).is_some()).ok_or_else(
                    || {
                        let message = format!("{token} is no token of the model's tokenizer");
                        Error::usage(message, format!("ids are below {}", self.vocabulary_size()))
                    },
                )
            })
            .collect::<Result<_>>()?;
        self.library.decode(&ids, false).map_err(|source| Error::external("decoding tokens", source, ""))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn directory() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let bytes =
            json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
        let tokenizer = json!({
            "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "post_processor": null,
            "added_tokens": [{
                "id": 0, "content": "</s>", "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true
            }],
            "pre_tokenizer": bytes, "decoder": bytes,
            "model": {
                "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
                "vocab": {"</s>": 0, "a": 1, "b": 2, "ab": 3, "\u{120}": 4}, "merges": ["a b"]
            }
        });
        write(&directory, "tokenizer.json", &tokenizer);
        directory
    }

    fn write(directory: &tempfile::TempDir, file: &str, value: &Value) {
        std::fs::write(directory.path().join(file), value.to_string()).unwrap();
    }

    #[test]
    fn texts_go_there_and_back() {
        let directory = directory();
        write(&directory, "config.json", &json!({"eos_token_id": 0}));
        let tokenizer = HuggingFaceTokenizer::read(directory.path()).unwrap();
        assert_eq!((tokenizer.vocabulary_size(), tokenizer.end(), tokenizer.token("ab")), (5, 0, Some(3)));
        assert_eq!(tokenizer.encode("ab ba").unwrap(), [3, 4, 2, 1]);
        assert_eq!(tokenizer.decode(&[3, 4, 2, 1, 0]).unwrap(), "ab ba");
        assert_eq!(tokenizer.encode("").unwrap(), [] as [i32; 0]);
        assert!(tokenizer.encode("abc").unwrap_err().to_string().contains("`c`"));
        assert!(tokenizer.decode(&[9]).unwrap_err().to_string().contains("9 is no token"));
        assert!(tokenizer.decode(&[-1]).is_err());
    }

    #[test]
    fn the_end_token_is_looked_for_in_three_files() {
        let directory = directory();
        let read = || HuggingFaceTokenizer::read(directory.path()).map(|tokenizer| tokenizer.end());
        assert!(read().unwrap_err().to_string().contains("names no token"));
        write(&directory, "config.json", &json!({"eos_token_id": 1}));
        assert_eq!(read().unwrap(), 1);
        write(&directory, "generation_config.json", &json!({"eos_token_id": [2, 1]}));
        assert_eq!(read().unwrap(), 2);
        write(&directory, "tokenizer_config.json", &json!({"eos_token": {"content": "ab"}}));
        assert_eq!(read().unwrap(), 3);
        write(&directory, "tokenizer_config.json", &json!({"eos_token": "<none>"}));
        assert!(read().unwrap_err().to_string().contains("<none>"));
        write(&directory, "tokenizer_config.json", &json!({"eos_token": null}));
        write(&directory, "generation_config.json", &json!({"eos_token_id": 17}));
        assert!(read().unwrap_err().to_string().contains("17 is no token"));
        std::fs::write(directory.path().join("tokenizer.json"), "{").unwrap();
        assert!(read().unwrap_err().to_string().contains("tokenizer.json"));
    }
}

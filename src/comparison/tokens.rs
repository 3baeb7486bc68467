//! What tokens of a rollout read like: texts, where anything tells them, else ids or places.

use std::collections::HashMap;

use meed_connectors::import::Tokenization;
use meed_pipelines::comparison::Contested;

/// Texts of tokens.
pub(super) enum Tokens {
    /// One text per token.
    Texts(Vec<String>),
    /// Tokens are the bytes of a text.
    Bytes(Vec<u8>),
    /// Nothing tells texts; labels stand for tokens.
    Labels(Vec<String>),
}

impl Tokens {
    /// The best that the rollout has: `token_texts`; ids and a tokenizer; ids that are the bytes of its text;
    /// ids of which each is one character of its text; ids; places.
    pub(super) fn of(rollout: &Contested, tokenizer: Option<&Tokenization>) -> Self {
        let count = rollout.token_mask.len();
        if let Some(texts) = rollout.token_texts.as_ref().filter(|texts| texts.len() == count) {
            return Tokens::Texts(texts.iter().map(|text| text.clone().unwrap_or_default()).collect());
        }
        let Some(ids) = rollout.token_ids.as_ref().filter(|ids| ids.len() == count) else {
            return Tokens::Labels((1..=count).map(|place| format!("#{place}")).collect());
        };
        if let Some(texts) = tokenizer.and_then(|tokenizer| tokenizer.texts(ids).ok()) {
            return Tokens::Texts(texts);
        }
        for text in texts(rollout) {
            if text.len() == count && text.bytes().zip(ids).all(|(byte, id)| i32::from(byte) == *id) {
                return Tokens::Bytes(text.into_bytes());
            }
            if text.chars().count() == count && is_alphabet(&text, ids) {
                return Tokens::Texts(text.chars().map(String::from).collect());
            }
        }
        Tokens::Labels(ids.iter().map(i32::to_string).collect())
    }

    /// The text of some tokens that follow each other.
    pub(super) fn text(&self, tokens: std::ops::Range<usize>) -> String {
        match self {
            Tokens::Texts(texts) => texts[tokens].concat(),
            Tokens::Bytes(bytes) => String::from_utf8_lossy(&bytes[tokens]).into_owned(),
            Tokens::Labels(labels) => labels[tokens].iter().map(|label| format!("{label} ")).collect(),
        }
    }
}

/// What may be the text of all tokens.
fn texts(rollout: &Contested) -> impl Iterator<Item = String> {
    let steps = rollout.step_texts.as_ref().filter(|texts| texts.iter().all(Option::is_some));
    let joined = steps.map(|texts| texts.iter().flatten().map(String::as_str).collect());
    joined.into_iter().chain(rollout.response.clone())
}

/// True where every id stands for one character.
fn is_alphabet(text: &str, ids: &[i32]) -> bool {
    let (mut of_id, mut of_character) = (HashMap::new(), HashMap::new());
    text.chars().zip(ids).all(|(character, id)| {
        *of_id.entry(id).or_insert(character) == character
            && of_character.entry(character).or_insert(id) == &id
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rollout(ids: &[i32], response: &str) -> Contested {
        Contested {
            token_ids: Some(ids.to_vec()),
            token_mask: vec![true; ids.len()],
            response: Some(response.to_owned()),
            ..Contested::default()
        }
    }

    fn text(rollout: &Contested, tokens: std::ops::Range<usize>) -> String {
        Tokens::of(rollout, None).text(tokens)
    }

    #[test]
    fn bytes_characters_ids_and_places() {
        assert_eq!(text(&rollout(&[110, 195, 169], "né"), 1..3), "é");
        assert_eq!(text(&rollout(&[4, 9, 4], "nén"), 1..3), "én");
        assert_eq!(text(&rollout(&[4, 9, 5], "nén"), 1..3), "9 5 ", "one character has two ids");
        assert_eq!(text(&rollout(&[4, 9], "none of them"), 0..1), "4 ");
        let bare = Contested { token_mask: vec![true; 2], ..Contested::default() };
        assert_eq!(text(&bare, 0..2), "#1 #2 ");
        let mut texts = rollout(&[1, 2], "ab");
        texts.token_texts = Some(vec![Some("a b".to_owned()), None]);
        assert_eq!(text(&texts, 0..2), "a b");
    }
}

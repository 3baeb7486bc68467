//! Words, numbers, texts and symbols of the language, with their places.

use std::ops::Range;

use super::failure::failure;
use crate::Result;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A name or a word of the language.
    Word(String),
    /// A name in backticks, which is no word of the language.
    Quoted(String),
    Text(String),
    Number(f64),
    Symbol(&'static str),
    End,
}

#[derive(Debug, Clone)]
pub(super) struct Lexed {
    pub token: Token,
    pub place: Range<usize>,
    /// The first on its line.
    pub on_new_line: bool,
}

const SYMBOLS: [&str; 21] = [
    "==", "!=", "<=", ">=", "=", "<", ">", "+", "-", "*", "/", "^", "(", ")", "[", "]", "{", "}", ",", ";",
    ".",
];

/// Words that stand for an operator or a number, and so are no names.
const RESERVED: [&str; 4] = ["and", "or", "inf", "NaN"];

fn begins_word(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

fn in_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether a name can stand in an expression as it is; others need backticks.
pub(in crate::credit) fn is_word(name: &str) -> bool {
    name.starts_with(begins_word) && name.chars().all(in_word) && !RESERVED.contains(&name)
}

pub(super) fn tokens(text: &str) -> Result<Vec<Lexed>> {
    let (mut found, mut at, mut on_new_line) = (Vec::new(), 0, true);
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let (token, length) = match first {
            '\n' => {
                on_new_line = true;
                at += 1;
                continue;
            }
            '#' => {
                at += rest.find('\n').unwrap_or(rest.len());
                continue;
            }
            c if c.is_whitespace() => {
                at += c.len_utf8();
                continue;
            }
            quote @ ('"' | '`') => {
                let (content, length) = quoted(text, at, quote)?;
                (if quote == '"' { Token::Text(content) } else { Token::Quoted(content) }, length)
            }
            c if c.is_ascii_digit() => number(text, at)?,
            c if begins_word(c) => {
                let word = &rest[..rest.find(|c| !in_word(c)).unwrap_or(rest.len())];
                let token = match word {
                    "inf" => Token::Number(f64::INFINITY),
                    "NaN" => Token::Number(f64::NAN),
                    name => Token::Word(name.to_owned()),
                };
                (token, word.len())
            }
            c => match SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
                Some(symbol) => (Token::Symbol(symbol), symbol.len()),
                None => {
                    let shown = if c.is_control() { '\u{fffd}' } else { c };
                    let message = format!("`{shown}` is no part of an expression");
                    return Err(failure(text, at..at + c.len_utf8(), &message, instead_of(c)));
                }
            },
        };
        found.push(Lexed { token, place: at..at + length, on_new_line });
        (at, on_new_line) = (at + length, false);
    }
    found.push(Lexed { token: Token::End, place: at..at, on_new_line });
    Ok(found)
}

fn instead_of(c: char) -> &'static str {
    match c {
        '&' | '|' => "write `and`, `or`",
        '!' => "write `not(...)`, or `!=` for different",
        '\'' => "texts stand in double quotes",
        _ => "names with other characters than letters, digits and _ stand in backticks",
    }
}

fn number(text: &str, at: usize) -> Result<(Token, usize)> {
    let digits = |from: usize| text[from..].bytes().take_while(u8::is_ascii_digit).count();
    let mut end = at + digits(at);
    if text[end..].starts_with('.') && digits(end + 1) > 0 {
        end += 1 + digits(end + 1);
    }
    if text[end..].starts_with(['e', 'E']) {
        let sign = usize::from(text[end + 1..].starts_with(['+', '-']));
        let exponent = digits(end + 1 + sign);
        end += if exponent > 0 { 1 + sign + exponent } else { 0 };
    }
    match text[at..end].parse::<f64>() {
        Ok(value) if value.is_finite() => Ok((Token::Number(value), end - at)),
        _ => Err(failure(text, at..end, "this number is too large", "write `inf` for infinity")),
    }
}

/// What stands between two quotes, and how long it is with them.
fn quoted(text: &str, at: usize, quote: char) -> Result<(String, usize)> {
    let mut content = String::new();
    let mut rest = text[at + 1..].chars();
    while let Some(c) = rest.next() {
        let past = text.len() - rest.as_str().len();
        if c == quote {
            return Ok((content, past - at));
        }
        if c != '\\' {
            content.push(c);
            continue;
        }
        let escaped = match rest.next() {
            Some('n') => Some('\n'),
            Some('r') => Some('\r'),
            Some('t') => Some('\t'),
            Some('0') => Some('\0'),
            Some(c @ ('\\' | '\'' | '"' | '`')) => Some(c),
            Some('u') => rest.as_str().strip_prefix('{').and_then(|code| code.split_once('}')).and_then(
                |(code, after)| {
                    rest = after.chars();
                    u32::from_str_radix(code, 16).ok().and_then(char::from_u32)
                },
            ),
            _ => None,
        };
        content.push(escaped.ok_or_else(|| {
            let hint = r#"a backslash stands before n, r, t, 0, a quote, a backslash, or as in \u{e9}"#;
            failure(text, past - 1..past, "unknown escape", hint)
        })?);
    }
    Err(failure(text, at..at + 1, &format!("no {quote} ends this"), "close the quotes"))
}

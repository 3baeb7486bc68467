//! JSON Lines, one object a line, each with the line that it came from.

use std::collections::VecDeque;
use std::io::BufRead;

use meed_operators::{Error, Place, Result};
use serde_json::{Map, Value};

use super::imported::BadRow;
use crate::store::{Location, failed};

/// One object of a JSON Lines file.
pub(super) struct Line {
    /// File and row (line number from 0).
    pub place: Place,
    /// Row over all files: rows of the files before it, plus its own.
    pub index: u64,
    /// The object.
    pub object: Map<String, Value>,
}

/// Reads the objects of JSON Lines files, one line in memory at a time. Blank lines count as rows
/// and yield nothing. A line that is not an object is an error of the data, after which reading
/// goes on; a file that cannot be read is not.
pub(super) struct Lines {
    waiting: VecDeque<Location>,
    current: Option<(String, Box<dyn BufRead + Send>)>,
    row: u64,
    rows_before: u64,
    line: Vec<u8>,
}

impl Lines {
    pub fn new(inputs: &[Location]) -> Self {
        Lines {
            waiting: inputs.iter().cloned().collect(),
            current: None,
            row: 0,
            rows_before: 0,
            line: Vec::new(),
        }
    }

    fn advance(&mut self) -> Result<Option<Line>, BadRow> {
        loop {
            let Some((uri, reader)) = &mut self.current else {
                let Some(input) = self.waiting.pop_front() else {
                    return Ok(None);
                };
                self.current = Some((input.uri().to_owned(), input.open()?));
                continue;
            };
            self.line.clear();
            let length =
                reader.read_until(b'\n', &mut self.line).map_err(|error| failed("reading", uri, error))?;
            if length == 0 {
                self.current = None;
                self.rows_before += self.row;
                self.row = 0;
                continue;
            }
            let place = Place::file(uri.as_str()).row(self.row);
            let index = self.rows_before + self.row;
            self.row += 1;
            let byte_order_mark: &[u8] = "\u{feff}".as_bytes();
            let line = match self.line.strip_prefix(byte_order_mark) {
                Some(rest) if index == self.rows_before => rest,
                _ => &self.line[..],
            };
            if line.trim_ascii().is_empty() {
                continue;
            }
            return match object(line, &place) {
                Ok(object) => Ok(Some(Line { place, index, object })),
                Err(error) => {
                    let text = String::from_utf8_lossy(line).trim_end().to_owned();
                    Err(BadRow { error, text })
                }
            };
        }
    }
}

impl Iterator for Lines {
    type Item = Result<Line, BadRow>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}

/// Parses one line; the message counts lines from 1, as editors do.
fn object(line: &[u8], place: &Place) -> Result<Map<String, Value>> {
    let number = place.row.unwrap_or(0) + 1;
    let wrong = |message: String, hint: &str| Error::data(place.clone(), message, hint);
    let text = std::str::from_utf8(line).map_err(|error| {
        wrong(
            format!("line {number} is not UTF-8 from byte {} on", error.valid_up_to()),
            "write the file as UTF-8, or skip the line",
        )
    })?;
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(other) => Err(wrong(
            format!("line {number} is {}, not a JSON object", type_of(&other)),
            "write one JSON object a line, or skip the line",
        )),
        Err(error) => Err(wrong(
            format!("line {number} is not JSON: {error}"),
            "write one JSON object a line (a file may be cut short), or skip the line",
        )),
    }
}

/// The JSON type of a value, with its article.
pub(super) fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

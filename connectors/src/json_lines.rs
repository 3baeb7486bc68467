//! Reads JSON Lines: one object a line, every error with its line and column.

use std::collections::HashMap;
use std::fmt;
use std::io::BufRead;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema, SchemaRef};
use meed_operators::engine::Batches;
use meed_operators::{Error, Place, Result};
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use crate::json_columns::JsonColumn;
use crate::json_schema::Shapes;
use crate::read::ReadOptions;
use crate::rejects::{OnError, Reject};
use crate::store::{Location, failed};

/// Bytes of values after which a batch ends, however few its rows are.
const BATCH_BYTES: usize = 8 << 20;

/// Reads the file twice: for the types of its columns, and for the rows.
pub(crate) fn read(location: &Location, options: &ReadOptions) -> Result<(SchemaRef, Batches)> {
    let mut shapes = Shapes::new(options.table);
    let mut lines = Lines::open(location)?;
    while let Some(line) = lines.next()? {
        if let Ok(text) = std::str::from_utf8(line) {
            shapes.add(text);
        }
    }
    let (mut fields, mut columns, mut names) = (Vec::new(), Vec::new(), HashMap::new());
    for found in shapes.finish() {
        columns.push(JsonColumn::new(&found.data_type, found.any_json)?);
        names.insert(found.name.clone(), fields.len());
        fields.push(Field::new(found.name, found.data_type, true));
    }
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    let rows = JsonRows {
        lines: Lines::open(location)?,
        table: Rows { given: vec![false; columns.len()], columns, names, rows: 0, current: None },
        schema: schema.clone(),
        options: options.clone(),
        uri: location.uri().to_owned(),
        ended: false,
    };
    Ok((schema, Box::new(rows)))
}

/// The lines of a file that hold something, without the white space around them.
struct Lines {
    input: Box<dyn BufRead + Send>,
    line: Vec<u8>,
    number: u64,
    uri: String,
}

impl Lines {
    fn open(location: &Location) -> Result<Self> {
        let uri = location.uri().to_owned();
        Ok(Lines { input: location.open()?, line: Vec::new(), number: 0, uri })
    }

    fn next(&mut self) -> Result<Option<&[u8]>> {
        loop {
            self.line.clear();
            let read = self.input.read_until(b'\n', &mut self.line);
            if read.map_err(|error| failed("reading", &self.uri, error))? == 0 {
                return Ok(None);
            }
            self.number += 1;
            if self.number == 1 && self.line.starts_with(b"\xef\xbb\xbf") {
                self.line.drain(..3);
            }
            if !self.line.trim_ascii().is_empty() {
                return Ok(Some(&self.line));
            }
        }
    }
}

struct JsonRows {
    lines: Lines,
    table: Rows,
    schema: SchemaRef,
    options: ReadOptions,
    uri: String,
    ended: bool,
}

impl JsonRows {
    fn batch(&mut self) -> Result<Option<RecordBatch>> {
        while self.table.rows < self.options.batch_rows.max(1)
            && self.table.columns.iter().map(JsonColumn::bytes).sum::<usize>() < BATCH_BYTES
        {
            let Some(line) = self.lines.next()? else {
                break;
            };
            if let Err((column, reason)) = self.table.push(line) {
                let text = String::from_utf8_lossy(line).trim_end().to_owned();
                self.reject(column, reason, text)?;
            }
        }
        if self.table.rows == 0 {
            return Ok(None);
        }
        let rows = RecordBatchOptions::new().with_row_count(Some(self.table.rows));
        self.table.rows = 0;
        let columns = self.table.columns.iter_mut().map(JsonColumn::finish).collect();
        Ok(Some(RecordBatch::try_new_with_options(self.schema.clone(), columns, &rows)?))
    }

    fn reject(&mut self, column: Option<String>, reason: String, text: String) -> Result<()> {
        let line = self.lines.number;
        match self.options.on_error {
            OnError::Fail => {
                let mut place = Place::file(&self.uri).row(line - 1);
                place.column = column;
                let hint = match text.contains("NaN") || text.contains("Infinity") {
                    true => "NaN and Infinity are not JSON; write null and say why in a status",
                    false => "correct the line, or skip lines that cannot be read",
                };
                Err(Error::data(place, format!("line {line}: {reason}"), hint))
            }
            OnError::Skip => {
                let reason = match column {
                    Some(column) => format!("column {column}: {reason}"),
                    None => reason,
                };
                let file = self.uri.clone();
                self.options.rejects.add(Reject { file, line, reason, text })
            }
        }
    }
}

impl Iterator for JsonRows {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let batch = self.batch();
        self.ended = !matches!(batch, Ok(Some(_)));
        batch.transpose()
    }
}

/// The rows of a batch under construction.
struct Rows {
    columns: Vec<JsonColumn>,
    names: HashMap<String, usize>,
    rows: usize,
    given: Vec<bool>,
    /// The column of the value that is being read.
    current: Option<String>,
}

impl Rows {
    /// Adds a line, or nothing and the column and reason why not.
    fn push(&mut self, line: &[u8]) -> Result<(), (Option<String>, String)> {
        let outcome = self.parse(line);
        match outcome {
            Ok(()) => {
                for (column, given) in self.columns.iter_mut().zip(&self.given) {
                    if !given {
                        column.push_null();
                    }
                }
                self.rows += 1;
            }
            Err(_) => self.columns.iter_mut().for_each(|column| column.truncate(self.rows)),
        }
        self.given.fill(false);
        outcome.map_err(|reason| (self.current.take(), reason))
    }

    fn parse(&mut self, line: &[u8]) -> Result<(), String> {
        self.current = None;
        let text = std::str::from_utf8(line)
            .map_err(|error| format!("invalid UTF-8 after {} bytes", error.valid_up_to()))?;
        let mut parser = serde_json::Deserializer::from_str(text);
        let explain = |error: serde_json::Error| {
            if error.is_eof() {
                return format!("the line is cut off after {} bytes", text.trim_end().len());
            }
            let at = format!(" at line {} column {}", error.line(), error.column());
            let message = error.to_string();
            let message = message.strip_suffix(&at).unwrap_or(&message);
            format!("{message} (byte {} of the line)", error.column())
        };
        self.deserialize(&mut parser).map_err(explain)?;
        self.current = None;
        parser.end().map_err(explain)
    }
}

impl<'de> DeserializeSeed<'de> for &mut Rows {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Rows {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            let Some(index) = self.names.get(&name).copied() else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            self.current = Some(name);
            if std::mem::replace(&mut self.given[index], true) {
                return Err(A::Error::custom("the column is given twice"));
            }
            map.next_value_seed(&mut self.columns[index])?;
            self.current = None;
        }
        Ok(())
    }
}

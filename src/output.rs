//! Standard output, which carries data only.

use std::io::{self, ErrorKind, IsTerminal, Stdout, Write};

use meed::{Error, Result};
use serde_json::Value;

/// Standard output for data. A reader that has seen enough and closes the pipe, such as `head`,
/// ends the program without an error.
pub struct Output(Stdout);

impl Output {
    /// Standard output.
    pub fn new() -> Self {
        Output(io::stdout())
    }

    /// True where a person reads it.
    pub fn is_terminal(&self) -> bool {
        self.0.is_terminal()
    }

    /// Writes text.
    pub fn text(&mut self, text: &str) -> Result<()> {
        self.write_all(text.as_bytes()).and_then(|()| self.flush()).map_err(|error| {
            Error::external("writing the result", error, "check that the output is open and has room")
        })
    }

    /// Writes one JSON document, indented.
    pub fn json(&mut self, value: &Value) -> Result<()> {
        self.text(&format!("{value:#}\n"))
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        unless_closed(self.0.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        unless_closed(self.0.flush())
    }
}

fn unless_closed<T>(result: io::Result<T>) -> io::Result<T> {
    if let Err(error) = &result
        && error.kind() == ErrorKind::BrokenPipe
    {
        std::process::exit(0);
    }
    result
}

/// Text in columns: every cell but the last of a row is padded.
pub fn columns(rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in rows {
        let line: Vec<String> =
            row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
        text.push_str(line.join("  ").trim_end());
        text.push('\n');
    }
    text
}

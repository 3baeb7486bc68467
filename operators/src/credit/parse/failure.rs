//! Errors that show the place in the text.

use std::ops::Range;

use crate::Error;

/// How much of a long line is shown before and after the place.
const BEFORE: usize = 60;
const AFTER: usize = 40;

/// A usage error with line and column, the line, and carets under the place.
pub(super) fn failure(text: &str, place: Range<usize>, message: &str, hint: &str) -> Error {
    let begin = text[..place.start].rfind('\n').map_or(0, |newline| newline + 1);
    let number = text[..place.start].matches('\n').count() + 1;
    let line: Vec<char> = text[begin..].lines().next().unwrap_or_default().chars().collect();
    let column = text[begin..place.start].chars().count();
    let width = text[place].lines().next().unwrap_or_default().chars().count();
    let (first, past) = (column.saturating_sub(BEFORE), line.len().min(column + width.max(1) + AFTER));
    let shown: String = line[first..past].iter().map(|c| if c.is_control() { ' ' } else { *c }).collect();
    let (left, right) = (if first > 0 { "…" } else { "" }, if past < line.len() { "…" } else { "" });
    let gutter = " ".repeat(number.to_string().len());
    let indent = " ".repeat(column - first + left.chars().count());
    let carets = "^".repeat(width.clamp(1, AFTER));
    Error::usage(
        format!(
            "line {number}, column {}: {message}\n{gutter} |\n{number} | {left}{shown}{right}\n{gutter} | {indent}{carets}",
            column + 1
        ),
        hint,
    )
}

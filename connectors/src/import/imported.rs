//! What an importer returns: batches of rollouts, and afterwards a report on what was left out.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use meed_operators::engine::Batches;
use meed_operators::{Error, Result};

use super::ImportOptions;
use super::rollout::Rollout;
use super::rows::RowBuilder;
use crate::rejects::{OnError, Reject, Rejects};

/// What an import did.
#[derive(Debug, Clone, Default)]
pub struct ImportReport {
    /// Rows delivered.
    pub rows: u64,
    /// Rows left out.
    pub rejected_rows: u64,
    /// The first rows left out, with their reasons.
    pub rejected: Vec<Reject>,
    /// What the input holds and no column takes, with how often it was met.
    pub unmapped: BTreeMap<String, u64>,
}

impl fmt::Display for ImportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows imported, {} rejected", self.rows, self.rejected_rows)?;
        for reject in &self.rejected {
            write!(f, "\nrejected: {}, line {}: {}", reject.file, reject.line, reject.reason)?;
        }
        let untold = self.rejected_rows.saturating_sub(self.rejected.len() as u64);
        if untold > 0 {
            write!(f, "\nrejected: {untold} more")?;
        }
        for (what, times) in &self.unmapped {
            write!(f, "\nunmapped: {what} (times: {times})")?;
        }
        Ok(())
    }
}

/// The report of an import that may still be running.
#[derive(Debug, Clone)]
pub struct ReportHandle {
    notes: Arc<Mutex<Notes>>,
    rejects: Rejects,
}

#[derive(Debug, Default)]
struct Notes {
    rows: u64,
    unmapped: BTreeMap<String, u64>,
}

impl ReportHandle {
    /// An empty report, whose rejected rows are those of the options.
    pub fn new(options: &ImportOptions) -> Self {
        ReportHandle { notes: Arc::default(), rejects: options.rejects.clone() }
    }

    /// The report so far; complete once the batches are exhausted. Rejected rows are those of
    /// [`ImportOptions::rejects`], whoever added them.
    pub fn get(&self) -> ImportReport {
        let (rows, unmapped) = self.change(|notes| (notes.rows, notes.unmapped.clone()));
        ImportReport { rows, unmapped, rejected_rows: self.rejects.count(), rejected: self.rejects.first() }
    }

    /// Notes something that the input holds and no column takes.
    pub fn unmapped(&self, what: &str) {
        self.change(|notes| match notes.unmapped.get_mut(what) {
            Some(times) => *times += 1,
            None => {
                notes.unmapped.insert(what.to_owned(), 1);
            }
        });
    }

    /// Counts rows that were delivered.
    pub(super) fn delivered(&self, rows: usize) {
        self.change(|notes| notes.rows += rows as u64);
    }

    /// Sets a bad row aside if the options say so and its error is about data; else the error.
    pub(super) fn reject(&self, bad: BadRow, options: &ImportOptions) -> Result<()> {
        let Error::Data { place, message, .. } = &bad.error else {
            return Err(bad.error);
        };
        if options.on_error == OnError::Fail {
            return Err(bad.error);
        }
        let rollout = place.rollout.as_ref().map(|id| format!("rollout {id}: "));
        let column = place.column.as_ref().map(|name| format!("column {name}: "));
        self.rejects.add(Reject {
            file: place.file.clone().unwrap_or_default(),
            line: place.row.unwrap_or(0) + 1,
            reason: [rollout.unwrap_or_default(), column.unwrap_or_default(), message.clone()].concat(),
            text: bad.text,
        })
    }

    fn change<T>(&self, change: impl FnOnce(&mut Notes) -> T) -> T {
        change(&mut self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A row that cannot be imported, and its text where it is a line of a file.
#[derive(Debug)]
pub struct BadRow {
    /// What is wrong, and where. Only errors about data can be skipped.
    pub error: Error,
    /// The line; empty where a row is no line.
    pub text: String,
}

impl From<Error> for BadRow {
    fn from(error: Error) -> Self {
        BadRow { error, text: String::new() }
    }
}

/// What an importer finds in its input.
pub enum Found {
    /// A rollout.
    Rollout(Box<Rollout>),
    /// Rows of another table, marked with [`rows_of`](meed_operators::engine::rows_of).
    Beside(RecordBatch),
}

impl From<Rollout> for Found {
    fn from(rollout: Rollout) -> Self {
        Found::Rollout(Box::new(rollout))
    }
}

/// What a group gives, one by one; a group that cannot be imported is one bad row.
pub(super) fn one_by_one(group: Result<Vec<Found>>) -> Vec<std::result::Result<Found, BadRow>> {
    match group {
        Ok(found) => found.into_iter().map(Ok).collect(),
        Err(error) => vec![Err(BadRow::from(error))],
    }
}

/// Rollouts on their way in.
pub struct Imported {
    /// Schema of the batches of rollouts.
    pub schema: SchemaRef,
    /// The rows: rollouts, and in marked batches of their own rows of the importer's other
    /// [`tables`](super::Importer::tables). After an error there are no more.
    pub batches: Batches,
    /// The report; complete once the batches are exhausted.
    pub report: ReportHandle,
}

impl Imported {
    /// Batches of the rollouts that an importer finds, in that order, and the rows that it finds beside
    /// them. Bad rollouts are set aside or end the import, as the options say.
    pub fn from_found<F: Into<Found>>(
        found: impl Iterator<Item = Result<F, BadRow>> + Send + 'static,
        rows: RowBuilder,
        options: &ImportOptions,
        report: ReportHandle,
    ) -> Self {
        Imported {
            schema: rows.schema(),
            report: report.clone(),
            batches: Box::new(FoundBatches {
                found: found.map(|found| found.map(F::into)),
                rows,
                options: options.clone(),
                report,
                ended: false,
            }),
        }
    }
}

/// Turns rollouts into batches and sets bad ones aside.
struct FoundBatches<I> {
    found: I,
    rows: RowBuilder,
    options: ImportOptions,
    report: ReportHandle,
    ended: bool,
}

impl<I: Iterator<Item = Result<Found, BadRow>>> FoundBatches<I> {
    fn advance(&mut self) -> Result<Option<RecordBatch>> {
        while !self.rows.is_full() {
            let bad = match self.found.next() {
                None => break,
                Some(Ok(Found::Beside(rows))) => return Ok(Some(rows)),
                Some(Ok(Found::Rollout(rollout))) => self.rows.push(*rollout).err().map(BadRow::from),
                Some(Err(bad)) => Some(bad),
            };
            if let Some(bad) = bad {
                self.report.reject(bad, &self.options)?;
            }
        }
        let batch = self.rows.finish()?;
        self.report.delivered(batch.as_ref().map_or(0, RecordBatch::num_rows));
        Ok(batch)
    }
}

impl<I: Iterator<Item = Result<Found, BadRow>>> Iterator for FoundBatches<I> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let batch = self.advance();
        self.ended = !matches!(batch, Ok(Some(_)));
        batch.transpose()
    }
}

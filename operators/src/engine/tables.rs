//! Rows of several tables in one stream, and a sink that keeps the tables in step.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;

use super::{Committer, EpochWriter, Receipt, Sink};
use crate::columns::Table;
use crate::{Error, Result};

/// Key in a schema's metadata that names the table that rows belong to.
const TABLE: &str = "meed.table";

/// The rows, marked as rows of a table, so that one stream can carry rows of several.
///
/// ```
/// use arrow::array::RecordBatch;
/// use meed_operators::columns::Table;
/// use meed_operators::engine::{rows_of, table_of};
/// let rows = RecordBatch::new_empty(Table::Scores.schema());
/// assert_eq!(table_of(&rows), None);
/// assert_eq!(table_of(&rows_of(Table::Scores, &rows)?), Some(Table::Scores));
/// # Ok::<(), meed_operators::Error>(())
/// ```
///
/// # Errors
/// None in practice: the columns are those of the batch.
pub fn rows_of(table: Table, rows: &RecordBatch) -> Result<RecordBatch> {
    let schema = rows.schema();
    let mut metadata = schema.metadata().clone();
    metadata.insert(TABLE.to_owned(), table.name().to_owned());
    let schema = Schema::new_with_metadata(schema.fields().clone(), metadata);
    Ok(RecordBatch::try_new(Arc::new(schema), rows.columns().to_vec())?)
}

/// The table that rows were marked with.
pub fn table_of(rows: &RecordBatch) -> Option<Table> {
    let name = rows.schema_ref().metadata().get(TABLE)?;
    Table::ALL.into_iter().find(|table| table.name() == name)
}

/// Several tables that a run writes in step.
///
/// There is no transaction over several tables, so they are committed one by one, in the order given,
/// each with the same epochs. The version of the **last** one is the run's progress. After a crash the
/// others may be ahead of it: their own versions make writing those epochs again a no-op.
pub struct Tables {
    tables: Vec<(Table, Arc<dyn Sink>)>,
}

impl Tables {
    /// Tables in the order in which they are committed; the last is the one that ends the pipeline.
    ///
    /// # Errors
    /// No table at all, or one table twice.
    pub fn new(tables: Vec<(Table, Arc<dyn Sink>)>) -> Result<Self> {
        let twice =
            (1..tables.len()).any(|index| tables[..index].iter().any(|(table, _)| *table == tables[index].0));
        if tables.is_empty() || twice {
            return Err(Error::usage(
                "a run writes every table once, and at least one",
                "name each table once",
            ));
        }
        Ok(Tables { tables })
    }
}

impl Sink for Tables {
    fn uri(&self) -> &str {
        self.tables.last().map_or("", |(_, sink)| sink.uri())
    }

    fn writer(&self, worker: usize) -> Result<Box<dyn EpochWriter>> {
        let writers = self.tables.iter().map(|(table, sink)| Ok((*table, sink.writer(worker)?)));
        Ok(Box::new(Writers(writers.collect::<Result<_>>()?)))
    }

    fn committer(&self) -> Result<Box<dyn Committer>> {
        let committers = self.tables.iter().map(|(table, sink)| Ok((*table, sink.committer()?)));
        Ok(Box::new(Committers(committers.collect::<Result<_>>()?)))
    }
}

struct Writers(BTreeMap<Table, Box<dyn EpochWriter>>);

impl EpochWriter for Writers {
    /// Rows of a table that the run does not keep are let go.
    fn write(&mut self, epoch: u64, batch: RecordBatch) -> Result<()> {
        let table = table_of(&batch).ok_or_else(|| {
            Error::external("writing", "rows that belong to no table", "mark them with `rows_of`")
        })?;
        match self.0.get_mut(&table) {
            Some(writer) => writer.write(epoch, batch),
            None => Ok(()),
        }
    }

    fn close(&mut self, epoch: u64) -> Result<Vec<Receipt>> {
        let mut receipts = Vec::new();
        for (table, writer) in &mut self.0 {
            receipts.extend(writer.close(epoch)?.iter().map(|receipt| format!("{} {receipt}", table.name())));
        }
        Ok(receipts)
    }
}

struct Committers(Vec<(Table, Box<dyn Committer>)>);

impl Committer for Committers {
    /// The last table tells it; the others are asked too, since asking clears away what an attempt that
    /// was cut short left behind.
    fn resume_at(&mut self) -> Result<u64> {
        let mut last = 0;
        for (_, committer) in &mut self.0 {
            last = committer.resume_at()?;
        }
        Ok(last)
    }

    fn commit(&mut self, epochs: RangeInclusive<u64>, receipts: Vec<Receipt>) -> Result<()> {
        for (table, committer) in &mut self.0 {
            let own = receipts.iter().filter_map(|receipt| {
                receipt.strip_prefix(table.name())?.strip_prefix(' ').map(str::to_owned)
            });
            committer.commit(epochs.clone(), own.collect())?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.0.iter_mut().try_for_each(|(_, committer)| committer.finish())
    }
}

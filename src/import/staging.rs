//! Imported rows as temporary files, one a table, until all of them are known.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use meed_catalog::Sorted;
use meed_connectors::parquet_source::SLICE_BYTES;
use meed_connectors::{Codec, FileSink, Format, Location, ParquetSource};
use meed_operators::Result;
use meed_operators::columns::Table;
use meed_operators::engine::{Batches, Committer, EpochWriter, Sink, Source, Tables, rows_of, table_of};
use tempfile::TempDir;

use crate::opened::Opened;
use crate::staged::temporary;

/// Rows on their way into temporary files.
pub(super) struct Staged {
    writer: Box<dyn EpochWriter>,
    committer: Box<dyn Committer>,
    paths: Vec<(Table, PathBuf)>,
    directory: TempDir,
}

/// The rows of one table, all of them, the rows of a group together.
pub(super) struct StagedTable {
    pub table: Table,
    pub source: Arc<ParquetSource>,
    _directories: Arc<Vec<TempDir>>,
}

impl Staged {
    /// Empty files for rollouts of this schema and for rows of other tables.
    pub fn new(rollouts: SchemaRef, tables: &[Table]) -> Result<Self> {
        let directory = temporary()?;
        let mut paths: Vec<(Table, PathBuf)> = Vec::new();
        let mut sinks: Vec<(Table, Arc<dyn Sink>)> = Vec::new();
        for table in tables.iter().copied().chain([Table::Rollouts]) {
            let path = directory.path().join(format!("{}.parquet", table.name()));
            let location = Location::parse(&path.display().to_string())?;
            let schema = if table == Table::Rollouts { rollouts.clone() } else { table.schema() };
            sinks.push((table, Arc::new(FileSink::new(location, Format::Parquet, schema, Codec::default()))));
            paths.push((table, path));
        }
        let sink = Tables::new(sinks)?;
        Ok(Staged { writer: sink.writer(0)?, committer: sink.committer()?, paths, directory })
    }

    /// True where rows are of another table than rollouts.
    pub fn is_beside(rows: &RecordBatch) -> bool {
        table_of(rows).is_some()
    }

    /// Adds rows: of the table that they are marked with, else of rollouts.
    pub fn write(&mut self, rows: RecordBatch) -> Result<()> {
        let rows = if Staged::is_beside(&rows) { rows } else { rows_of(Table::Rollouts, &rows)? };
        self.writer.write(0, rows)
    }

    /// The tables, rollouts last, and what sorting the rollouts cost where they had to be sorted.
    pub fn finish(mut self, note: &dyn Fn(&str)) -> Result<(Vec<StagedTable>, Option<Sorted>)> {
        self.committer.commit(0..=0, self.writer.close(0)?)?;
        self.committer.finish()?;
        let (mut opened, mut sorted) = (Vec::new(), None);
        let mut directories = vec![self.directory];
        for (table, path) in self.paths {
            let mut rows = Opened::local(path, &format!("the imported {}", table.name()), "", SLICE_BYTES)?;
            let cost = rows.cluster(note)?;
            if table == Table::Rollouts {
                sorted = cost;
            }
            directories.append(&mut rows.directories);
            opened.push((table, rows.source));
        }
        let directories = Arc::new(directories);
        let table = |(table, source)| StagedTable { table, source, _directories: directories.clone() };
        Ok((opened.into_iter().map(table).collect(), sorted))
    }
}

impl StagedTable {
    /// All rows, with all columns.
    pub fn rows(&self) -> Result<Batches> {
        let schema = self.source.schema();
        let columns: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
        self.source.read_rows(0..self.source.row_count(), &columns)
    }
}

//! Writes the rows of one dataset: every worker writes Parquet files, one committer commits them.

use std::sync::Arc;

use meed_operators::columns::Table;
use meed_operators::engine::{Committer, EpochWriter, Sink};
use meed_operators::{Error, Result};

use crate::arrow::datatypes::{Field, Schema, SchemaRef};
use crate::committer::DeltaCommitter;
use crate::dataset::Dataset;
use crate::epoch_writer::DeltaEpochWriter;
use crate::lineage::Lineage;
use crate::runtime::block_on;
use crate::store::Store;

/// A dataset as the place where rows go.
///
/// Writers write Parquet files (zstd, row groups of at most 4096 rows and 16 MiB) beside the
/// table, where nobody sees them. The committer adds the files of consecutive epochs in one Delta
/// transaction under the run's name, so an epoch is committed once, however often it is written:
/// after a crash, or by two programs that run the same command at once. Files that were written
/// and never committed stay behind unseen, for `VACUUM`.
///
/// The dataset is made on the first commit with the columns of its kind. Columns that it does not
/// have yet are added, and are null in older rows; types never change.
#[derive(Debug, Clone)]
pub struct DeltaSink {
    target: Arc<Target>,
}

/// What writers and the committer share.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) store: Arc<Store>,
    pub(crate) dataset: String,
    pub(crate) table: Table,
    pub(crate) lineage: Lineage,
    pub(crate) clustered: bool,
    /// Columns with their types: those of the dataset, then those of its kind.
    pub(crate) known: SchemaRef,
}

impl DeltaSink {
    pub(crate) fn open(store: Arc<Store>, dataset: &str, table: Table, lineage: Lineage) -> Result<Self> {
        if lineage.run.is_empty() {
            return Err(Error::usage(
                format!("writing dataset {dataset}: the run has no name"),
                "set `Lineage::run`: it is what makes a repeated write harmless",
            ));
        }
        store.check_safe_to_write()?;
        let existing = block_on(store.table(dataset, None))?
            .map(|found| Dataset::new(dataset, store.clone(), found))
            .transpose()?;
        let mut fields: Vec<Arc<Field>> = Vec::new();
        if let Some(existing) = existing {
            // Refuses tables that were partitioned or edited by other programs.
            existing.files()?;
            if let Some(kind) = existing.table_kind()
                && kind != table
            {
                return Err(Error::usage(
                    format!("dataset {dataset} holds {}, not {}", kind.name(), table.name()),
                    "write to a dataset of another name",
                ));
            }
            fields.extend(existing.schema().fields().iter().cloned());
        }
        for field in table.schema().fields() {
            if fields.iter().all(|known| known.name() != field.name()) {
                fields.push(field.clone());
            }
        }
        Ok(DeltaSink {
            target: Arc::new(Target {
                store,
                dataset: dataset.to_owned(),
                table,
                lineage,
                clustered: true,
                known: Arc::new(Schema::new(fields)),
            }),
        })
    }

    /// Says that the rows of a group do not lie together, so that readers sort the dataset first.
    /// Without it the commits promise order by (`iteration`, `group_id`).
    pub fn unclustered(mut self) -> Self {
        Arc::make_mut(&mut self.target).clustered = false;
        self
    }

    /// Name of the dataset.
    pub fn dataset(&self) -> &str {
        &self.target.dataset
    }
}

impl Sink for DeltaSink {
    fn uri(&self) -> &str {
        &self.target.dataset
    }

    fn writer(&self, worker: usize) -> Result<Box<dyn EpochWriter>> {
        Ok(Box::new(DeltaEpochWriter::new(self.target.clone(), worker)))
    }

    fn committer(&self) -> Result<Box<dyn Committer>> {
        Ok(Box::new(DeltaCommitter::new(self.target.clone())))
    }
}

//! Commits written files to a Delta table, in order, each epoch once.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use deltalake_core::kernel::transaction::{CommitBuilder, CommitProperties, TransactionError};
use deltalake_core::kernel::{Action, Transaction};
use deltalake_core::operations::create::CreateBuilder;
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use deltalake_core::{DeltaTable, DeltaTableError};
use meed_operators::engine::{Committer, Receipt};
use meed_operators::{Error, Result};

use crate::commit::Written;
use crate::delta_sink::Target;
use crate::errors::delta_error;
use crate::history::commits;
use crate::runtime::block_on;

/// How often a commit is tried again after another writer was faster. Every failure means that
/// somebody else got through, so this many commits would have to come between.
const ATTEMPTS: usize = 32;

/// The committer of one dataset.
pub(crate) struct DeltaCommitter {
    target: Arc<Target>,
    table: Option<DeltaTable>,
    /// Time given to the latest commit; readers order files by it, so it always grows.
    latest: i64,
}

impl DeltaCommitter {
    pub(crate) fn new(target: Arc<Target>) -> Self {
        DeltaCommitter { target, table: None, latest: 0 }
    }

    /// The dataset as it is now, or nothing where it does not exist.
    async fn load(&mut self) -> Result<Option<DeltaTable>> {
        let table = self.target.store.table(&self.target.dataset, None).await?;
        if let Some(table) = &table {
            let state = table.snapshot().map_err(|error| self.failed(error))?;
            let newest = state.log_data().iter().map(|file| file.modification_time()).max();
            self.latest = self.latest.max(newest.unwrap_or_default());
        }
        self.table = table.clone();
        Ok(table)
    }

    /// The dataset, made where it does not exist. Of several writers that make it at once, one
    /// wins and the others take what it made.
    async fn load_or_create(&mut self) -> Result<DeltaTable> {
        if let Some(table) = &self.table {
            return Ok(table.clone());
        }
        if let Some(table) = self.load().await? {
            return Ok(table);
        }
        let log = self.target.store.log(&self.target.dataset)?;
        let created = CreateBuilder::new()
            .with_log_store(log)
            .with_table_name(self.target.dataset.as_str())
            .with_columns(self.target.first_schema()?.fields().cloned())
            .with_configuration(self.target.properties())
            .with_raise_if_key_not_exists(false)
            .with_commit_properties(
                CommitProperties::default()
                    .with_max_retries(0)
                    .with_metadata([self.target.commit_info(None, 0)]),
            )
            .await;
        match (self.load().await?, created) {
            (Some(table), _) => Ok(table),
            (None, Err(error)) => Err(delta_error(self.target.doing("creating"), error)),
            (None, Ok(_)) => Err(Error::external(
                self.target.doing("creating"),
                "the dataset cannot be found after it was made",
                "the store's listing lags behind its writes; use one that is consistent",
            )),
        }
    }

    /// The last epoch of this run that the dataset has.
    async fn committed(&self, table: &DeltaTable) -> Result<Option<u64>> {
        let state = table.snapshot().map_err(|error| self.failed(error))?;
        let version = state
            .transaction_version(table.log_store().as_ref(), &self.target.lineage.run)
            .await
            .map_err(|error| self.failed(error))?;
        Ok(version.and_then(|version| u64::try_from(version).ok()))
    }

    async fn commit_files(&mut self, epochs: (u64, u64), files: Vec<Written>) -> Result<()> {
        let mut conflict = None;
        for _ in 0..ATTEMPTS {
            let table = self.load_or_create().await?;
            let next = self.committed(&table).await?.map_or(0, |last| last + 1);
            if next > epochs.1 {
                return Ok(());
            }
            if next < epochs.0 {
                return Err(Error::usage(
                    format!(
                        "{}: epoch {} was given before epoch {next}",
                        self.target.doing("committing to"),
                        epochs.0
                    ),
                    "commit epochs in order, from the one that `resume_at` names",
                ));
            }
            // Another attempt of the run may have committed the first of them.
            let rest: Vec<Written> = files.iter().filter(|file| file.epoch >= next).cloned().collect();
            match self.commit_once(&table, (next, epochs.1), rest).await? {
                None => return Ok(()),
                Some(error) => {
                    // Also a failure may have come after the commit was made: look again.
                    self.table = None;
                    if !is_conflict(&error) {
                        let Some(table) = self.load().await? else {
                            return Err(self.failed(error));
                        };
                        if self.committed(&table).await? >= Some(epochs.1) {
                            return Ok(());
                        }
                        return Err(self.failed(error));
                    }
                    conflict = Some(error);
                }
            }
        }
        Err(match conflict {
            Some(error) => self.failed(error),
            None => Error::external(self.target.doing("committing to"), "no attempt was made", ""),
        })
    }

    /// Tries one commit; returns what Delta says where it fails.
    async fn commit_once(
        &mut self,
        table: &DeltaTable,
        epochs: (u64, u64),
        files: Vec<Written>,
    ) -> Result<Option<DeltaTableError>> {
        let state = table.snapshot().map_err(|error| self.failed(error))?;
        let schema = state.schema();
        let metadata = self.target.changed_metadata(&schema, state.metadata(), &files)?;
        let rows: u64 = files.iter().map(|file| file.rows).sum();
        let time = now().max(self.latest + 1);
        let mut actions: Vec<Action> = metadata.into_iter().map(Action::Metadata).collect();
        actions.extend(files.into_iter().map(|file| {
            let mut add = file.add;
            add.modification_time = time;
            Action::Add(add)
        }));
        let version = i64::try_from(epochs.1).map_err(|error| {
            Error::external(self.target.doing("committing to"), error, "epochs end at 2^63")
        })?;
        let properties = CommitProperties::default()
            .with_application_transaction(Transaction::new(&self.target.lineage.run, version))
            .with_metadata([self.target.commit_info(Some(epochs), rows)]);
        let operation = DeltaOperation::Write { mode: SaveMode::Append, partition_by: None, predicate: None };
        let committed = CommitBuilder::from(properties)
            .with_actions(actions)
            .build(Some(state), table.log_store(), operation)
            .await;
        match committed {
            Ok(done) => {
                tracing::debug!(
                    dataset = self.target.dataset,
                    version = done.version(),
                    first_epoch = epochs.0,
                    last_epoch = epochs.1,
                    rows,
                    "committed"
                );
                let mut table = table.clone();
                table.state = Some(done.snapshot());
                self.table = Some(table);
                self.latest = time;
                Ok(None)
            }
            Err(error) => Ok(Some(error)),
        }
    }

    fn failed(&self, error: DeltaTableError) -> Error {
        delta_error(self.target.doing("committing to"), error)
    }
}

impl Committer for DeltaCommitter {
    fn resume_at(&mut self) -> Result<u64> {
        block_on(async {
            let Some(table) = self.load().await? else {
                return Ok(0);
            };
            let Some(last) = self.committed(&table).await? else {
                return Ok(0);
            };
            let lineage = &self.target.lineage;
            let of_run = |begun: &crate::lineage::Lineage| begun.run == lineage.run;
            let found =
                commits(&table, &self.target.dataset, |commit| commit.lineage.as_ref().is_some_and(of_run))
                    .await?;
            if let Some(begun) = found.last().and_then(|commit| commit.lineage.as_ref())
                && of_run(begun)
            {
                lineage.continues(begun, &self.target.dataset)?;
            }
            Ok(last + 1)
        })
    }

    fn commit(&mut self, epochs: RangeInclusive<u64>, receipts: Vec<Receipt>) -> Result<()> {
        let files: Vec<Written> = receipts.iter().map(Written::parse).collect::<Result<_>>()?;
        block_on(self.commit_files((*epochs.start(), *epochs.end()), files))
    }

    fn finish(&mut self) -> Result<()> {
        // A run without any epoch still leaves a dataset, which is empty.
        block_on(self.load_or_create()).map(|_| ())
    }
}

/// Whether another writer was faster.
fn is_conflict(error: &DeltaTableError) -> bool {
    match error {
        DeltaTableError::VersionAlreadyExists(_) => true,
        DeltaTableError::Transaction { source } => matches!(
            source,
            TransactionError::CommitConflict(_)
                | TransactionError::VersionAlreadyExists(_)
                | TransactionError::MaxCommitAttempts(_)
        ),
        _ => false,
    }
}

fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .unwrap_or_default()
}

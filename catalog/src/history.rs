//! The commits of a dataset, read from its transaction log.

use deltalake_core::DeltaTable;
use deltalake_core::kernel::Action;
use deltalake_core::logstore::get_actions;
use meed_operators::Result;
use serde_json::Value;

use crate::errors::delta_error;
use crate::lineage::{CLUSTERED_PROPERTY, COMMIT_KEY, Lineage};

/// One commit of a dataset.
#[derive(Debug, Clone, PartialEq)]
pub struct Commit {
    /// Version of the dataset that it made.
    pub version: u64,
    /// When, in milliseconds since 1970; `None` where the writer did not say.
    pub timestamp: Option<i64>,
    /// What was done, in Delta's words: `CREATE TABLE`, `WRITE`, `OPTIMIZE`, ...
    pub operation: String,
    /// Rows added; `None` where a file does not say how many it has.
    pub rows: Option<u64>,
    /// Files added.
    pub files: u64,
    /// First and last epoch of its run, where meed wrote it.
    pub epochs: Option<(u64, u64)>,
    /// Columns by which the rows lie together, where meed wrote them so.
    pub clustered_by: Option<String>,
    /// What made the rows, where meed wrote them.
    pub lineage: Option<Lineage>,
}

/// The commits of a loaded table, newest first, until `enough` says stop or the log ends.
pub(crate) async fn commits(
    table: &DeltaTable,
    dataset: &str,
    mut enough: impl FnMut(&Commit) -> bool + Send,
) -> Result<Vec<Commit>> {
    let log = table.log_store();
    let mut commits = Vec::new();
    let Some(latest) = table.version() else {
        return Ok(commits);
    };
    for version in (0..=latest).rev() {
        let what = || format!("reading version {version} of dataset {dataset}");
        let bytes = log.read_commit_entry(version).await.map_err(|error| delta_error(what(), error))?;
        // Older entries may have been removed by another program after a checkpoint.
        let Some(bytes) = bytes else {
            break;
        };
        let actions = get_actions(version, &bytes).map_err(|error| delta_error(what(), error))?;
        let commit = describe(version, &actions);
        let stop = enough(&commit);
        commits.push(commit);
        if stop {
            break;
        }
    }
    Ok(commits)
}

fn describe(version: u64, actions: &[Action]) -> Commit {
    let mut commit = Commit {
        version,
        timestamp: None,
        operation: String::new(),
        rows: Some(0),
        files: 0,
        epochs: None,
        clustered_by: None,
        lineage: None,
    };
    for action in actions {
        match action {
            Action::Add(add) => {
                let rows = add.stats.as_deref().and_then(rows_of_statistics);
                commit.rows = commit.rows.zip(rows).map(|(sum, rows)| sum + rows);
                commit.files += 1;
            }
            Action::CommitInfo(info) => {
                commit.timestamp = info.timestamp;
                commit.operation = info.operation.clone().unwrap_or_default();
                let Some(meed) = info.info.get(COMMIT_KEY) else {
                    continue;
                };
                commit.lineage =
                    meed.get("lineage").and_then(|lineage| serde_json::from_value(lineage.clone()).ok());
                let epoch = |key| meed.get(key).and_then(Value::as_u64);
                commit.epochs = epoch("firstEpoch").zip(epoch("lastEpoch"));
                commit.clustered_by = meed.get(CLUSTERED_PROPERTY).and_then(Value::as_str).map(str::to_owned);
            }
            _ => {}
        }
    }
    commit
}

fn rows_of_statistics(statistics: &str) -> Option<u64> {
    let statistics: Value = serde_json::from_str(statistics).ok()?;
    statistics.get("numRecords")?.as_u64()
}

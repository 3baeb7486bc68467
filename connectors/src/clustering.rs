//! Checks that a group's rows lie together, as slices need it.

use std::collections::HashMap;
use std::collections::hash_map::{DefaultHasher, Entry};
use std::hash::{Hash, Hasher};
use std::time::Instant;

use meed_operators::engine::Source;
use meed_operators::{Error, Result};

use crate::parquet_source::ParquetSource;
use crate::slices::{GROUP, Keys};

/// How the rows of a source are arranged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clustering {
    /// Sorted by iteration and the bytes of the group's id; so groups lie together.
    Sorted,
    /// Not sorted, but every group's rows lie together.
    Clustered,
    /// A group ends and comes again.
    Unclustered {
        /// The group that comes again.
        group: String,
        /// Its first row, from 0.
        first_row: u64,
        /// The row where it comes again.
        again_row: u64,
    },
}

/// What a check found and what it cost.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusteringReport {
    /// How the rows are arranged.
    pub clustering: Clustering,
    /// Rows whose keys were read; rows before the first one out of order count twice.
    pub rows: u64,
    /// Wall time in milliseconds.
    pub milliseconds: f64,
}

/// Scans the key columns `iteration` (0 where absent) and `group_id`.
///
/// Sorted rows need no memory. When a row is out of order, the scan starts again and remembers 16
/// bytes a group. Two groups whose 64-bit hashes agree by chance would be reported as one that
/// comes again; the cost of that is a sort that was not needed.
///
/// # Errors
/// The source has no `group_id`, or cannot be read.
pub fn check_clustering(source: &ParquetSource) -> Result<ClusteringReport> {
    let begin = Instant::now();
    let columns = source.key_columns();
    if columns.is_empty() {
        return Err(Error::usage(
            format!("{} has no column `{GROUP}`", source.uri()),
            "credit is relative inside a group: import the data, or add the column",
        ));
    }
    let mut rows = 0;
    let clustering = match is_sorted(source, &columns, &mut rows)? {
        true => Clustering::Sorted,
        false => find_again(source, &columns, &mut rows)?,
    };
    Ok(ClusteringReport { clustering, rows, milliseconds: begin.elapsed().as_secs_f64() * 1e3 })
}

fn is_sorted(source: &ParquetSource, columns: &[String], rows: &mut u64) -> Result<bool> {
    let mut last: Option<(Option<i64>, Option<String>)> = None;
    for batch in source.read_rows(0..source.row_count(), columns)? {
        let keys = Keys::of(&batch?, source.uri())?;
        if keys.len() == 0 {
            continue;
        }
        *rows += keys.len() as u64;
        let after_last = last.as_ref().is_none_or(|(i, g)| (*i, g.as_deref()) <= keys.at(0));
        if !after_last || (1..keys.len()).any(|row| keys.at(row - 1) > keys.at(row)) {
            return Ok(false);
        }
        let (iteration, group) = keys.at(keys.len() - 1);
        last = Some((iteration, group.map(str::to_owned)));
    }
    Ok(true)
}

fn find_again(source: &ParquetSource, columns: &[String], rows: &mut u64) -> Result<Clustering> {
    let mut first_rows: HashMap<u64, u64> = HashMap::new();
    let mut last = None;
    let mut row = 0;
    for batch in source.read_rows(0..source.row_count(), columns)? {
        let keys = Keys::of(&batch?, source.uri())?;
        *rows += keys.len() as u64;
        for index in 0..keys.len() {
            let key = keys.at(index);
            let mut hasher = DefaultHasher::new();
            key.hash(&mut hasher);
            let hash = hasher.finish();
            if last != Some(hash) {
                match first_rows.entry(hash) {
                    Entry::Vacant(entry) => {
                        entry.insert(row);
                    }
                    Entry::Occupied(entry) => {
                        return Ok(Clustering::Unclustered {
                            group: key.1.unwrap_or("null").to_owned(),
                            first_row: *entry.get(),
                            again_row: row,
                        });
                    }
                }
            }
            last = Some(hash);
            row += 1;
        }
    }
    Ok(Clustering::Clustered)
}

//! Where stored rows are cut into slices, and what tells one group from the next.

use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use meed_operators::{Error, Place, Result};
use parquet::basic::Type;
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};

use crate::parquet_file::ParquetFile;

/// Bytes that a column chunk takes in memory once decoded, estimated from its metadata. Encodings
/// and dictionaries can make a chunk far smaller than its values: a mask of five million equal
/// bits is a few bytes in the file.
pub(crate) fn decoded_bytes(chunk: &ColumnChunkMetaData) -> u64 {
    let values = u64::try_from(chunk.num_values()).unwrap_or(0);
    let encoded = u64::try_from(chunk.uncompressed_size()).unwrap_or(0);
    let text = u64::try_from(chunk.unencoded_byte_array_data_bytes().unwrap_or(0)).unwrap_or(0);
    // Half an offset or a level per value is spent besides the values of lists.
    let levels = if chunk.column_descr().max_rep_level() > 0 { 4 } else { 0 };
    let plain = match chunk.column_type() {
        Type::BOOLEAN => values / 8,
        Type::INT32 | Type::FLOAT => values * 4,
        Type::INT64 | Type::DOUBLE => values * 8,
        Type::INT96 => values * 12,
        Type::BYTE_ARRAY | Type::FIXED_LEN_BYTE_ARRAY => values * 4 + text,
    };
    encoded.max(plain + values * levels)
}

fn group_bytes(group: &RowGroupMetaData) -> u64 {
    group.columns().iter().map(decoded_bytes).sum()
}

/// Cuts the rows of the files, in order, into slices of about `slice_bytes` decoded bytes: at the
/// bounds of row groups, and inside a row group where it alone is more than four slices.
///
/// Returns the first row of every slice and then the number of rows; without rows only that.
pub(crate) fn cut(files: &[ParquetFile], slice_bytes: u64) -> Vec<u64> {
    let slice_bytes = slice_bytes.max(1);
    let (mut bounds, mut row, mut gathered) = (vec![0], 0, 0);
    let bound = |bounds: &mut Vec<u64>, row: u64| {
        if bounds.last() != Some(&row) {
            bounds.push(row);
        }
    };
    for file in files {
        let row_groups = file.metadata.metadata().row_groups();
        for (group, ends) in row_groups.iter().zip(file.group_starts.windows(2)) {
            let (rows, bytes) = (ends[1] - ends[0], group_bytes(group));
            if gathered > 0 && gathered + bytes > slice_bytes {
                bound(&mut bounds, row);
                gathered = 0;
            }
            if bytes > slice_bytes.saturating_mul(4) && rows > 1 {
                let pieces = bytes.div_ceil(slice_bytes).min(rows);
                for piece in 0..=pieces {
                    let inside = u128::from(rows) * u128::from(piece) / u128::from(pieces);
                    bound(&mut bounds, row + inside as u64);
                }
            } else {
                gathered += bytes;
            }
            row += rows;
        }
    }
    bound(&mut bounds, row);
    bounds
}

/// The key of a row: its iteration and its group. Rows of one group have equal keys.
pub(crate) type Key<'a> = (Option<i64>, Option<&'a str>);

/// The key columns of a batch.
pub(crate) struct Keys {
    iterations: Option<Int64Array>,
    groups: StringArray,
}

/// The columns that make up a key.
pub(crate) const ITERATION: &str = "iteration";
pub(crate) const GROUP: &str = "group_id";

impl Keys {
    /// Takes the key columns out of a batch. Without `iteration` it is 0 everywhere.
    pub(crate) fn of(batch: &RecordBatch, file: &str) -> Result<Self> {
        let typed = |name: &str, data_type: DataType| -> Result<Option<ArrayRef>> {
            let Some(column) = batch.column_by_name(name) else {
                return Ok(None);
            };
            let column = cast(column, &data_type).map_err(|error| {
                let place = Place::file(file).column(name);
                Error::data(place, error.to_string(), format!("write it as {data_type}"))
            })?;
            Ok(Some(column))
        };
        let missing = || {
            let place = Place::file(file).column(GROUP);
            Error::data(place, "there is no such column", "every rollout belongs to a group")
        };
        let groups = typed(GROUP, DataType::Utf8)?.ok_or_else(missing)?;
        let groups = groups.as_any().downcast_ref::<StringArray>().ok_or_else(missing)?;
        let iterations = typed(ITERATION, DataType::Int64)?;
        let iterations = iterations.and_then(|column| column.as_any().downcast_ref::<Int64Array>().cloned());
        Ok(Keys { iterations, groups: groups.clone() })
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.groups.len()
    }

    /// The key of a row of the batch.
    pub(crate) fn at(&self, row: usize) -> Key<'_> {
        let iteration = match &self.iterations {
            None => Some(0),
            Some(column) => column.is_valid(row).then(|| column.value(row)),
        };
        (iteration, self.groups.is_valid(row).then(|| self.groups.value(row)))
    }
}

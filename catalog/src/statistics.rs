//! File statistics for the Delta log: rows, nulls, and the ranges that let readers skip files.

use crate::parquet::file::metadata::ParquetMetaData;
use crate::parquet::file::statistics::Statistics;
use serde_json::{Map, Value, json};

/// Longest text that is worth a place in the log.
const LONGEST_TEXT: usize = 64;

/// Statistics of a Parquet file as Delta's JSON text.
///
/// Ranges are given for integers and short texts only. Floats have none: their statistics ignore
/// NaN, which SQL sorts above every number, so that a reader could skip a file that it needs.
pub(crate) fn statistics(file: &ParquetMetaData) -> String {
    let mut least = Map::new();
    let mut greatest = Map::new();
    let mut nulls = Map::new();
    let columns = file.file_metadata().schema_descr().columns();
    for (index, column) in columns.iter().enumerate() {
        // Parts of lists and structs have paths of several names.
        let [name] = column.path().parts() else {
            continue;
        };
        let groups: Option<Vec<&Statistics>> =
            file.row_groups().iter().map(|group| group.column(index).statistics()).collect();
        let Some(groups) = groups else { continue };
        let count: Option<u64> = groups.iter().map(|group| group.null_count_opt()).sum();
        if let Some(count) = count {
            nulls.insert(name.clone(), json!(count));
        }
        if let Some((low, high)) = range(&groups) {
            least.insert(name.clone(), low);
            greatest.insert(name.clone(), high);
        }
    }
    json!({
        "numRecords": file.file_metadata().num_rows(),
        "minValues": least,
        "maxValues": greatest,
        "nullCount": nulls,
    })
    .to_string()
}

fn range(groups: &[&Statistics]) -> Option<(Value, Value)> {
    let integers: Option<Vec<(i64, i64)>> = groups
        .iter()
        .map(|group| match group {
            Statistics::Int32(range) => Some((i64::from(*range.min_opt()?), i64::from(*range.max_opt()?))),
            Statistics::Int64(range) => Some((*range.min_opt()?, *range.max_opt()?)),
            _ => None,
        })
        .collect();
    if let Some(ranges) = integers {
        let low = ranges.iter().map(|range| range.0).min()?;
        let high = ranges.iter().map(|range| range.1).max()?;
        return Some((json!(low), json!(high)));
    }
    let texts: Option<Vec<(&str, &str)>> = groups
        .iter()
        .map(|group| match group {
            Statistics::ByteArray(range) if range.min_is_exact() && range.max_is_exact() => {
                let text = |bytes| {
                    let text: &str = std::str::from_utf8(bytes).ok()?;
                    (text.len() <= LONGEST_TEXT).then_some(text)
                };
                Some((text(range.min_bytes_opt()?)?, text(range.max_bytes_opt()?)?))
            }
            _ => None,
        })
        .collect();
    let texts = texts?;
    let low = texts.iter().map(|range| range.0).min()?;
    let high = texts.iter().map(|range| range.1).max()?;
    Some((json!(low), json!(high)))
}

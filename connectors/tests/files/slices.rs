//! Slices: every row once, every group whole, whatever the files and the slice size.

use std::path::Path;
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use meed_connectors::{Clustering, DataFile, Location, ParquetSource, check_clustering};
use meed_operators::engine::Source;

use crate::made::{Row, at, rows, texts, write_parquet};

/// 400 rows in groups of 1 to 40 rows; a group of the same name follows in the next iteration.
fn clustered() -> Vec<Row> {
    const NAMES: [&str; 4] = ["a", "b", "b2", "c"];
    let mut made = Vec::new();
    let mut size = 1;
    for iteration in 0..8 {
        for name in NAMES {
            made.extend(std::iter::repeat_n((iteration, name, 1 + size % 7), size));
            size = 1 + (size * 7 + 3) % 23;
        }
        made.extend(std::iter::repeat_n((iteration, "z", 2), if iteration == 3 { 40 } else { 0 }));
    }
    made
}

/// Writes the rows to three files, cut in the middle of groups.
fn write_files(folder: &Path, made: &[Row], group_rows: usize) {
    let third = made.len() / 3;
    let parts = [0..third, third..2 * third + 1, 2 * third + 1..made.len()];
    for (index, part) in parts.into_iter().enumerate() {
        let batch = rows(part.start, &made[part.clone()]);
        write_parquet(&folder.join(format!("{index}.parquet")), &batch, group_rows);
    }
}

fn read(source: &ParquetSource, columns: &[&str]) -> Vec<Vec<RecordBatch>> {
    let columns: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
    (0..source.slices())
        .map(|slice| source.read(slice, &columns).unwrap().map(Result::unwrap).collect())
        .collect()
}

#[test]
fn slices_are_the_file_and_groups_are_whole() {
    let folder = tempfile::tempdir().unwrap();
    let made = clustered();
    for group_rows in [1, 7, 1000] {
        write_files(folder.path(), &made, group_rows);
        let mut counts = Vec::new();
        for slice_bytes in [1, 50, 300, 1000, 5000, 1 << 30] {
            let source = ParquetSource::open(&at(folder.path()), slice_bytes).unwrap();
            let slices = read(&source, &["rollout_id", "iteration", "group_id"]);
            counts.push(slices.len());
            let mut ids = Vec::new();
            let mut owner = std::collections::HashMap::new();
            for (slice, batches) in slices.iter().enumerate() {
                for batch in batches {
                    assert_eq!(batch.schema().field(0).name(), "rollout_id");
                    let iterations = batch.column(1).as_any();
                    let iterations = iterations.downcast_ref::<arrow::array::Int64Array>().unwrap();
                    for (group, iteration) in texts(batch, "group_id").iter().zip(iterations) {
                        let key = (iteration, group.clone());
                        assert_eq!(*owner.entry(key.clone()).or_insert(slice), slice, "{key:?}");
                    }
                    ids.extend(texts(batch, "rollout_id"));
                }
            }
            let want: Vec<String> = (0..made.len()).map(|i| format!("r{i}")).collect();
            assert_eq!(ids, want, "row groups of {group_rows}, slices of {slice_bytes} bytes");
        }
        assert!(counts[0] > 20 && counts[5] == 1, "{counts:?}");
        assert!(counts.is_sorted_by(|a, b| a >= b), "{counts:?}");
    }
}

#[test]
fn stores_give_the_same_slices_as_the_file_system() {
    let folder = tempfile::tempdir().unwrap();
    write_files(folder.path(), &clustered(), 30);
    let local = ParquetSource::open(&at(folder.path()), 600).unwrap();
    let files = (0..3).map(|index| {
        let location = at(&folder.path().join(format!("{index}.parquet")));
        let size = location.size().unwrap();
        DataFile::stored(location.store().clone(), location.path().clone(), size)
    });
    let stored = ParquetSource::from_files(files.collect(), "table@3", "3", None, 600).unwrap();
    assert_eq!((stored.uri(), stored.fingerprint().as_str()), ("table@3", "3"));
    assert!(local.slices() > 5);
    let columns = ["token_mask", "group_id", "reward"];
    // Stores yield no batch over the bound of a row group, so only the rows are the same.
    let rows = |source| -> Vec<Option<RecordBatch>> {
        let slices = read(source, &columns).into_iter();
        slices.map(|batches| Some(concat_batches(&batches.first()?.schema(), &batches).unwrap())).collect()
    };
    assert_eq!(rows(&stored), rows(&local));
}

#[test]
fn the_fingerprint_follows_the_content() {
    let folder = tempfile::tempdir().unwrap();
    write_files(folder.path(), &clustered(), 30);
    let fingerprint = || ParquetSource::open(&at(folder.path()), 600).unwrap().fingerprint();
    let before = fingerprint();
    assert_eq!(before, fingerprint());
    write_parquet(&folder.path().join("1.parquet"), &rows(0, &[(0, "a", 1)]), 10);
    assert_ne!(before, fingerprint());
}

#[test]
fn a_column_that_does_not_exist_is_named() {
    let folder = tempfile::tempdir().unwrap();
    write_files(folder.path(), &clustered(), 30);
    let source = ParquetSource::open(&at(folder.path()), 600).unwrap();
    let error = source.read(0, &["token_values".to_owned()]).err().unwrap();
    assert!(error.to_string().contains("`token_values`"), "{error}");
    assert!(error.hint().contains("token_mask"), "{}", error.hint());
}

#[test]
fn no_columns_still_count_rows() {
    let folder = tempfile::tempdir().unwrap();
    write_files(folder.path(), &clustered(), 30);
    let source = ParquetSource::open(&at(folder.path()), 600).unwrap();
    let count: usize = read(&source, &[]).iter().flatten().map(RecordBatch::num_rows).sum();
    assert_eq!(Some(count as u64), source.rows());
}

#[test]
fn clustering_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    let check = |made: &[Row]| {
        write_parquet(&path, &rows(0, made), 3);
        let source = ParquetSource::open(&at(&path), 1 << 20).unwrap();
        check_clustering(&source).unwrap()
    };
    let sorted = check(&clustered());
    assert_eq!(sorted.clustering, Clustering::Sorted);
    assert_eq!(sorted.rows, clustered().len() as u64);
    let clustered = check(&[(0, "b", 1), (0, "b", 1), (0, "a", 1), (1, "b", 1)]);
    assert_eq!(clustered.clustering, Clustering::Clustered);
    let again = check(&[(0, "a", 1), (0, "b", 1), (0, "b", 1), (0, "c", 1), (0, "b", 1)]);
    let want = Clustering::Unclustered { group: "b".to_owned(), first_row: 1, again_row: 4 };
    assert_eq!(again.clustering, want);
}

#[test]
fn long_rows_come_a_few_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    let made: Vec<Row> = (0..40).map(|i| (0, "a", if i == 20 { 1_000_000 } else { 20_000 })).collect();
    write_parquet(&path, &rows(0, &made), 1000);
    let source = ParquetSource::open(&at(&path), 1 << 30).unwrap();
    let columns = ["token_mask", "token_advantages"];
    let largest = read(&source, &columns).into_iter().flatten().map(|b| b.get_array_memory_size());
    let largest = largest.max().unwrap();
    // The long row alone has 4 MB of advantages; all rows together have 7 MB.
    assert!(largest < 6 << 20, "{largest}");
    // One row group of about 18 MB decoded is cut by rows where slices are much smaller.
    let source = ParquetSource::open(&at(&path), 1 << 20).unwrap();
    assert!(source.slices() > 4, "{}", source.slices());
    let groups: Vec<usize> = read(&source, &["group_id"]).iter().map(Vec::len).collect();
    assert!(groups[0] > 0 && groups[1..].iter().all(|batches| *batches == 0), "{groups:?}");
}

#[test]
fn five_million_tokens_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    let made: Vec<Row> = (0..8192).map(|i| (i / 8, "a", 610)).collect();
    write_parquet(&path, &rows(0, &made), 1 << 20);
    let location = Location::parse(path.to_str().unwrap()).unwrap();
    let source = ParquetSource::open(&location, 32 << 20).unwrap();
    let begin = Instant::now();
    let columns = ["group_id", "rollout_id", "reward", "token_mask"];
    let batches: Vec<RecordBatch> = read(&source, &columns).into_iter().flatten().collect();
    eprintln!("5 million tokens, {} batches: {:?}", batches.len(), begin.elapsed());
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 8192);
}

//! Files that are cut off or damaged: an error with the file's name, never a panic.

use std::fs;

use arrow::array::RecordBatch;
use meed_connectors::{Location, ParquetSource, read_batches, write_batches};
use meed_operators::{Error, Result};

use crate::made::{Row, at, rows, schema, write_parquet};

fn example() -> RecordBatch {
    let made: Vec<Row> = (0..300).map(|i| (0, ["a", "b", "c"][i / 100], i % 50)).collect();
    rows(0, &made)
}

fn read_all(location: &Location) -> Result<usize> {
    let (_, batches) = read_batches(location, location.format()?, 64)?;
    batches.map(|batch| batch.map(|batch| batch.num_rows())).sum()
}

fn assert_named(error: &Error, name: &str) {
    assert!(error.to_string().contains(name), "{error}");
    assert!(!error.hint().is_empty(), "{error}");
}

#[test]
fn a_file_that_is_cut_off_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["x.parquet", "x.arrow"] {
        let location = at(&folder.path().join(name));
        let halves = [example().slice(0, 150), example().slice(150, 150)];
        let format = location.format().unwrap();
        write_batches(&location, format, &schema(), halves.map(Ok)).unwrap();
        assert_eq!(read_all(&location).unwrap(), 300);
        let whole = fs::read(location.local_path().unwrap()).unwrap();
        // An Arrow file is whole without the index behind its end mark.
        let needed = match name {
            "x.parquet" => whole.len(),
            _ => {
                let mark = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
                whole.windows(8).rposition(|bytes| bytes == mark).unwrap() + 8
            }
        };
        for part in 0..40 {
            let cut = needed * part / 40;
            let stored = Location::parse(&format!("memory://cut/{name}")).unwrap();
            fs::write(location.local_path().unwrap(), &whole[..cut]).unwrap();
            assert_named(&read_all(&location).unwrap_err(), name);
            futures::executor::block_on(object_store::ObjectStoreExt::put(
                stored.store().as_ref(),
                stored.path(),
                whole[..cut].to_vec().into(),
            ))
            .unwrap();
            assert_named(&read_all(&stored).unwrap_err(), name);
        }
    }
}

#[test]
fn damaged_bytes_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["x.parquet", "x.arrow"] {
        let location = at(&folder.path().join(name));
        let path = location.local_path().unwrap();
        let format = location.format().unwrap();
        write_batches(&location, format, &schema(), [Ok(example())]).unwrap();
        let whole = fs::read(path).unwrap();
        let mut errors = 0;
        let step = (whole.len() / 150).max(1);
        for offset in (0..whole.len()).step_by(step) {
            for flip in [0xff, 0x01, 0x80] {
                let mut damaged = whole.clone();
                damaged[offset] ^= flip;
                fs::write(path, &damaged).unwrap();
                if let Err(error) = read_all(&location) {
                    assert_named(&error, name);
                    errors += 1;
                }
            }
        }
        // Not every bit is covered by a check: a changed value can be a valid value.
        assert!(errors > 50, "{name}: {errors}");
    }
}

#[test]
fn other_files_are_not_taken_for_parquet() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    for content in [&b""[..], b"PAR1", b"PAR1PAR1", b"{\"group_id\": 1}\n", &[0; 4096]] {
        fs::write(&path, content).unwrap();
        assert_named(&ParquetSource::open(&at(&path), 1 << 20).err().unwrap(), "x.parquet");
    }
    fs::remove_file(&path).unwrap();
    assert_named(&ParquetSource::open(&at(&path), 1 << 20).err().unwrap(), "x.parquet");
}

#[test]
fn a_file_that_vanishes_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    write_parquet(&path, &example(), 10);
    let source = ParquetSource::open(&at(&path), 1 << 20).unwrap();
    fs::remove_file(&path).unwrap();
    let mut batches = source.read_rows(0..10, &["reward".to_owned()]).unwrap();
    assert_named(&batches.next().unwrap().unwrap_err(), "x.parquet");
    assert!(batches.next().is_none());
}

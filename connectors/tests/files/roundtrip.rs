//! What is written is read again, in every format and store.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, DictionaryArray, Int32Array, LargeListArray, LargeStringArray, RecordBatch, StringArray,
    StringViewArray, UInt8Array,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Int32Type, Schema};
use meed_connectors::{
    Format, Location, ParquetSource, ReadOptions, read_batches, read_batches_with, write_batches,
};
use meed_operators::columns::{Table, list_of};
use meed_operators::engine::Source;

use crate::made::{at, rows, schema, together, write_parquet};

fn example() -> Vec<RecordBatch> {
    vec![rows(0, &[(0, "a", 3), (0, "a", 0), (0, "b", 70)]), rows(3, &[(1, "a", 1), (1, "c", 5)])]
}

#[test]
fn every_format_gives_back_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let want = arrow::compute::concat_batches(&schema(), &example()).unwrap();
    for name in ["x.parquet", "x.jsonl", "x.arrow"] {
        let local = folder.path().join(name).to_str().unwrap().to_owned();
        for place in [local, format!("memory://roundtrip/{name}")] {
            let location = Location::parse(&place).unwrap();
            let format = location.format().unwrap();
            let batches = example().into_iter().map(Ok);
            assert_eq!(write_batches(&location, format, &schema(), batches).unwrap(), 5);

            let table = Table::Advantages;
            let options = ReadOptions { table, batch_rows: 2, ..ReadOptions::default() };
            let (found, batches) = read_batches_with(&location, format, &options).unwrap();
            let got = together(&found, batches);
            assert_eq!(got.num_rows(), 5, "{place}");
            for (column, field) in want.columns().iter().zip(schema().fields()) {
                let got = got.column_by_name(field.name()).unwrap();
                assert_eq!(got, column, "{place}, {}", field.name());
            }
        }
    }
}

#[test]
fn a_target_without_rows_is_a_valid_file() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["x.parquet", "x.jsonl", "x.arrow"] {
        let location = at(&folder.path().join(name));
        let format = location.format().unwrap();
        assert_eq!(write_batches(&location, format, &schema(), Vec::new()).unwrap(), 0);
        let (found, batches) = read_batches(&location, format, 10).unwrap();
        assert_eq!(together(&found, batches).num_rows(), 0);
        if format != Format::JsonLines {
            assert_eq!(found.fields().len(), schema().fields().len());
        }
    }
    let location = at(&folder.path().join("x.parquet"));
    assert_eq!(ParquetSource::open(&location, 1 << 20).unwrap().slices(), 0);
}

#[test]
fn views_dictionaries_and_large_lists_become_plain() {
    let folder = tempfile::tempdir().unwrap();
    let dictionary: DictionaryArray<Int32Type> = vec!["x", "y", "x"].into_iter().collect();
    let list = LargeListArray::new(
        Arc::new(Field::new("item", DataType::Int32, false)),
        OffsetBuffer::new(vec![0_i64, 2, 2, 3].into()),
        Arc::new(Int32Array::from(vec![1, 2, 3])),
        None,
    );
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("group_id", Arc::new(dictionary)),
        ("prompt", Arc::new(LargeStringArray::from(vec!["a", "b", "c"]))),
        ("response", Arc::new(StringViewArray::from(vec!["a long text that is not inlined"; 3]))),
        ("token_ids", Arc::new(list)),
        ("small", Arc::new(UInt8Array::from(vec![1, 2, 255]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    for name in ["x.parquet", "x.arrow"] {
        let path = folder.path().join(name);
        match name {
            "x.parquet" => write_parquet(&path, &batch, 2),
            _ => {
                let file = std::fs::File::create(&path).unwrap();
                let mut writer = arrow::ipc::writer::StreamWriter::try_new(file, &batch.schema()).unwrap();
                writer.write(&batch).unwrap();
                writer.finish().unwrap();
            }
        }
        let location = at(&path);
        let (found, batches) = read_batches(&location, location.format().unwrap(), 10).unwrap();
        let types: Vec<&DataType> = found.fields().iter().map(|field| field.data_type()).collect();
        let ints = list_of(DataType::Int32);
        let text = &DataType::Utf8;
        assert_eq!(types, [text, text, text, &ints, &DataType::Int32], "{name}");
        let got = together(&found, batches);
        assert_eq!(got.column(0).as_ref(), &StringArray::from(vec!["x", "y", "x"]) as &dyn Array);
    }
}

#[test]
fn directories_and_patterns_list_their_files_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let batch = rows(0, &[(0, "a", 1)]);
    for name in ["b 2.parquet", "a.parquet", "_hidden.parquet", "note.txt"] {
        write_parquet(&folder.path().join(name), &batch, 10);
    }
    let names = |text: &str| -> Vec<String> {
        let files = Location::parse(text).unwrap().files().unwrap();
        let name = |file: &Location| file.uri().rsplit('/').next().unwrap().to_owned();
        files.iter().map(name).collect()
    };
    let root = folder.path().to_str().unwrap();
    assert_eq!(names(root), ["a.parquet", "b 2.parquet"]);
    assert_eq!(names(&format!("{root}/*2.par?uet")), ["b 2.parquet"]);
    let source = ParquetSource::open(&at(folder.path()), 1 << 20).unwrap();
    assert_eq!(source.rows(), Some(2));

    for name in ["n/2.parquet", "n/1.parquet"] {
        let location = Location::parse(&format!("memory://listing/{name}")).unwrap();
        write_batches(&location, Format::Parquet, &schema(), [Ok(batch.clone())]).unwrap();
    }
    assert_eq!(names("memory://listing/n"), ["1.parquet", "2.parquet"]);
    let source = ParquetSource::open(&Location::parse("memory://listing").unwrap(), 1 << 20);
    assert_eq!(source.unwrap().rows(), Some(2));
    let error = Location::parse("memory://nowhere").unwrap().files().unwrap_err();
    assert!(error.to_string().contains("memory://nowhere"), "{error}");
}

#[test]
fn files_of_different_schemas_are_put_together() {
    let folder = tempfile::tempdir().unwrap();
    let text = |values: &[&str]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
    let one = RecordBatch::try_from_iter(vec![
        ("group_id", text(&["a"])),
        ("level", Arc::new(Int32Array::from(vec![7])) as ArrayRef),
    ]);
    let two = RecordBatch::try_from_iter(vec![
        ("level", Arc::new(arrow::array::Int64Array::from(vec![1_i64 << 40])) as ArrayRef),
        ("group_id", text(&["a"])),
        ("extra", text(&["x"])),
    ]);
    write_parquet(&folder.path().join("1.parquet"), &one.unwrap(), 10);
    write_parquet(&folder.path().join("2.parquet"), &two.unwrap(), 10);
    let source = ParquetSource::open(&at(folder.path()), 1 << 20).unwrap();
    let columns = ["extra", "level"].map(str::to_owned);
    let schema = Arc::new(Schema::new(vec![
        Field::new("extra", DataType::Utf8, true),
        Field::new("level", DataType::Int64, false),
    ]));
    let got = together(&schema, source.read_rows(0..2, &columns).unwrap());
    assert!(got.column(0).is_null(0) && got.column(0).is_valid(1));

    let three = RecordBatch::try_from_iter(vec![("level", text(&["high"]))]).unwrap();
    write_parquet(&folder.path().join("3.parquet"), &three, 10);
    let error = ParquetSource::open(&at(folder.path()), 1 << 20).err().unwrap().to_string();
    assert!(error.contains("3.parquet") && error.contains("column level"), "{error}");
}

//! Query results in every output format.

use meed_catalog::arrow::array::RecordBatch;
use meed_catalog::arrow::ipc::reader::StreamReader;
use meed_catalog::{Catalog, Format, SqlOptions, format};
use meed_operators::Error;

use crate::rows::cells;

const QUERY: &str =
    "select * from (values (1, 'a,b', make_array(1.5, null)), (2, null, null)) as t(n, text, list)";

fn rows() -> Vec<RecordBatch> {
    Catalog::open("memory://formats").unwrap().sql(QUERY, &SqlOptions::default()).unwrap()
}

fn written(format: Format) -> Vec<u8> {
    let (rows, mut output) = (rows(), Vec::new());
    let schema = rows[0].schema();
    assert_eq!(format::write(format, &schema, rows.into_iter().map(Ok), &mut output).unwrap(), 2);
    output
}

#[test]
fn texts() {
    let text = |format| String::from_utf8(written(format)).unwrap();
    assert_eq!(text(Format::Csv), "n,text,list\n1,\"a,b\",\"[1.5,null]\"\n2,,\n");
    assert_eq!(
        text(Format::Json),
        "{\"n\":1,\"text\":\"a,b\",\"list\":[1.5,null]}\n{\"n\":2,\"text\":null,\"list\":null}\n"
    );
    assert!(text(Format::Table).contains("| 1 | a,b  | [1.5, ] |"), "{}", text(Format::Table));
}

#[test]
fn arrow_and_parquet_hold_the_same_rows() {
    let want: Vec<_> = rows().iter().flat_map(cells).collect();
    let bytes = written(Format::Arrow);
    let arrow = StreamReader::try_new(bytes.as_slice(), None).unwrap();
    let got: Vec<_> = arrow.flat_map(|batch| cells(&batch.unwrap())).collect();
    assert_eq!(got, want);
    assert_eq!(&written(Format::Parquet)[..4], b"PAR1");
}

#[test]
fn an_error_among_the_rows_ends_the_output() {
    let schema = rows()[0].schema();
    let failing = rows().into_iter().map(Ok).chain([Err(Error::usage("broken", ""))]);
    let error = format::write(Format::Json, &schema, failing, Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "broken");
    assert!("yaml".parse::<Format>().is_err());
}

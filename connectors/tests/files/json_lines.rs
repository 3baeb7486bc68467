//! JSON Lines: types by the table and over the whole file, and every bad line named.

use std::fs;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use meed_connectors::{
    Format, Location, OnError, ReadOptions, Reject, Rejects, read_batches, read_batches_with,
};
use meed_operators::columns::list_of;
use meed_operators::{Error, Result};

use crate::made::{at, together};

fn read(content: &[u8], on_error: OnError) -> (Result<Vec<RecordBatch>>, Rejects) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.jsonl");
    fs::write(&path, content).unwrap();
    let options = ReadOptions { on_error, batch_rows: 2, ..ReadOptions::default() };
    let outcome = read_batches_with(&at(&path), Format::JsonLines, &options);
    (outcome.and_then(|(_, batches)| batches.collect()), options.rejects)
}

fn error_of(content: &[u8]) -> Error {
    read(content, OnError::Fail).0.unwrap_err()
}

#[test]
fn known_columns_have_their_types_and_others_the_narrowest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.jsonl");
    let lines = concat!(
        "\u{feff}{\"group_id\": \"a\", \"reward\": 1, \"token_mask\": [1, 0, true], \"bonus\": 1}\r\n",
        "\n",
        "{\"metadata\": {\"b\": [1, {\"a\": null}]}, \"group_id\": \"b\", \"step_scores\": [[1], null, [2, 3]]}\n",
        "{\"bonus\": 0.5, \"step_scores\": [[0.25]], \"token_old_logprobs\": [-1, null, -0.5], \"new\": null, \"call\": {\"x\": 1}}"
    );
    fs::write(&path, lines).unwrap();
    let (schema, batches) = read_batches(&at(&path), Format::JsonLines, 100).unwrap();
    let field = |name: &str| schema.field_with_name(name).unwrap().data_type().clone();
    assert_eq!(field("reward"), DataType::Float64);
    assert_eq!(field("token_mask"), list_of(DataType::Boolean));
    assert_eq!(field("token_old_logprobs"), list_of(DataType::Float32));
    assert_eq!(field("bonus"), DataType::Float64);
    assert_eq!(field("step_scores"), list_of(list_of(DataType::Float64)));
    assert_eq!(field("new"), DataType::Float64);
    assert_eq!(field("call"), DataType::Utf8);
    assert!(schema.field_with_name("rollout_id").is_err());

    let batch = together(&schema, batches);
    let column = |name: &str| batch.column_by_name(name).unwrap();
    assert_eq!(column("bonus").as_primitive::<Float64Type>().value(2), 0.5);
    assert!(column("bonus").is_null(1) && column("new").is_null(2));
    assert_eq!(column("metadata").as_string::<i32>().value(1), "{\"b\":[1,{\"a\":null}]}");
    assert_eq!(column("call").as_string::<i32>().value(2), "{\"x\":1}");
    let scores = column("step_scores").as_list::<i32>().value(1);
    let scores = scores.as_list::<i32>();
    assert!(scores.is_null(1));
    assert_eq!(scores.value(2).as_primitive::<Float64Type>().values(), &[2.0, 3.0]);
    let mask = column("token_mask").as_list::<i32>().value(0);
    let mask: Vec<bool> = mask.as_boolean().iter().flatten().collect();
    assert_eq!(mask, [true, false, true]);
}

#[test]
fn a_bad_line_is_named() {
    let good = "{\"group_id\": \"a\", \"reward\": 0}\n";
    let cases: [(&[u8], &str, &str); 13] = [
        (b"{\"reward\": \"abc\"}\n", "reward", "expected a number, found the text \"abc\""),
        (b"[1, 2]\n", "", "expected an object"),
        (b"7\n", "", "expected an object"),
        (b"{\"group_id\": \"\xff\"}\n", "", "invalid UTF-8 after 14 bytes"),
        (b"{\"reward\": NaN}\n", "reward", "expected"),
        (b"{\"reward\": 1e999}\n", "reward", "number out of range"),
        (b"{\"token_old_logprobs\": [1e300]}\n", "token_old_logprobs", "out of range"),
        (b"{\"token_ids\": [1, 3000000000]}\n", "token_ids", "out of range"),
        (b"{\"token_ids\": [1, 2.5]}\n", "token_ids", "expected an integer, found the number 2.5"),
        (b"{\"token_mask\": 1}\n", "token_mask", "expected a list"),
        (b"{\"prompt\": [{\"role\": \"user\"}]}\n", "prompt", "expected text, found a list"),
        (b"{\"reward\": 1, \"reward\": 2}\n", "reward", "twice"),
        (b"{\"reward\": 1} {}\n", "", "trailing characters"),
    ];
    for (line, column, message) in cases {
        let content = [good.as_bytes(), b"\n", line, good.as_bytes()].concat();
        let error = error_of(&content);
        let text = error.to_string();
        assert!(text.contains("x.jsonl") && text.contains("line 3: "), "{text}");
        assert!(text.contains(message), "{text}");
        match &error {
            Error::Data { place, .. } => {
                assert_eq!(place.column.as_deref().unwrap_or(""), column, "{text}");
            }
            other => panic!("{other}"),
        }
    }
    let cut_off = error_of(b"{\"group_id\": \"a\"}\n{\"group_id\": \"b\", \"rew");
    assert!(cut_off.to_string().contains("line 2: the line is cut off after 22 bytes"), "{cut_off}");
}

#[test]
fn skipped_lines_are_kept_apart_and_the_rest_arrives() {
    let content = b"{\"iteration\": 1, \"token_ids\": [1]}\n\
        {\"iteration\": 2, \"token_ids\": [1, 2, 3, \"x\"]}\n\
        oops\n\
        {\"iteration\": \"x\", \"token_ids\": [4]}\n\
        {\"iteration\": 5, \"token_ids\": [5, 6]}\n\
        {\"iteration\": 6, \"token_ids\": [7, 8";
    let (batches, rejects) = read(content, OnError::Skip);
    let batches = batches.unwrap();
    assert_eq!(batches.len(), 1);
    let iterations = batches[0].column(0).as_primitive::<Int64Type>();
    assert_eq!(iterations.values(), &[1, 5]);
    let ids = batches[0].column(1).as_list::<i32>();
    assert_eq!((ids.value(0).len(), ids.value(1).len()), (1, 2));

    assert_eq!(rejects.count(), 4);
    let first: Vec<Reject> = rejects.first();
    assert_eq!(first.iter().map(|reject| reject.line).collect::<Vec<_>>(), [2, 3, 4, 6]);
    assert_eq!(first[1].text, "oops");
    assert!(first[0].reason.starts_with("column token_ids: expected an integer"), "{first:?}");
}

#[test]
fn rejects_go_to_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("x.jsonl"), folder.path().join("rejects.jsonl"));
    let options = ReadOptions {
        on_error: OnError::Skip,
        rejects: Rejects::into_file(&output),
        ..ReadOptions::default()
    };
    fs::write(&input, "{}\n").unwrap();
    let (_, batches) = read_batches_with(&at(&input), Format::JsonLines, &options).unwrap();
    assert_eq!(batches.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 1);
    assert!(!output.exists());
    fs::write(&input, "{\"reward\": \"a\"}\n{\"reward\": {}}\n").unwrap();
    let (_, batches) = read_batches_with(&at(&input), Format::JsonLines, &options).unwrap();
    assert_eq!(batches.count(), 0);
    let written = fs::read_to_string(&output).unwrap();
    assert_eq!(written.lines().count(), 2);
    let line: serde_json::Value = serde_json::from_str(written.lines().nth(1).unwrap()).unwrap();
    assert_eq!((line["line"].as_u64(), line["text"].as_str()), (Some(2), Some("{\"reward\": {}}")));
}

#[test]
fn a_file_that_does_not_exist_is_named() {
    let location = Location::parse("/does/not/exist.jsonl").unwrap();
    let error = read_batches(&location, Format::JsonLines, 10).err().unwrap();
    assert!(error.to_string().contains("/does/not/exist.jsonl"), "{error}");
}

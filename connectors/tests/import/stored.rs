//! Rows that have meed's columns already.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Float64Type;
use meed_connectors::import::ImportOptions;
use meed_connectors::{Format, Location, write_batches};
use serde_json::json;

use crate::support::{import, list, real, rewards, skipping, written};

/// Rows written as a file of this format by the connectors come back as they were.
#[test]
fn imported_rows_survive_their_own_files() {
    let Some(input) = real("tau_bench_airline_gpt4o.json") else {
        return;
    };
    let (batches, _) = import("tau-bench", &[input], &ImportOptions::default()).unwrap();
    let rows = arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (importer, format) in [("jsonl", Format::JsonLines), ("parquet", Format::Parquet)] {
        let path = folder.path().join(format!("rows.{}", format.extension()));
        let location = Location::parse(path.to_str().unwrap()).unwrap();
        write_batches(&location, format, &rows.schema(), batches.iter().cloned().map(Ok)).unwrap();
        let (again, report) = import(importer, &[location], &ImportOptions::default()).unwrap();
        assert_eq!((report.rows, report.rejected_rows), (200, 0));
        let again = arrow::compute::concat_batches(&again[0].schema(), &again).unwrap();
        for field in rows.schema().fields() {
            let (before, after) = (rows.column_by_name(field.name()), again.column_by_name(field.name()));
            match after {
                Some(after) => assert_eq!(before.unwrap(), after, "{importer}, {field}"),
                None => assert_eq!(before.unwrap().null_count(), 200, "{importer}, {field}"),
            }
        }
    }
}

#[test]
fn bad_rows_of_meeds_own_columns_fail_or_are_left_out() {
    let good = json!({"group_id": "g", "rollout_id": "a", "token_ids": [1, 2], "step_ends": [1, 2]});
    let bad = [
        (json!([1]).to_string(), "row 1: line 2"),
        ("{\"group_id\": ".to_owned(), "row 1, column group_id: line 2"),
        (json!({"group_id": "g"}).to_string(), "row 1, column rollout_id"),
        (good.to_string(), "row 1, rollout a, column rollout_id"),
        (
            json!({"group_id": "g", "rollout_id": "b", "token_ids": [1, 2], "step_ends": [2, 1]}).to_string(),
            "row 1, rollout b, column step_ends",
        ),
        (
            json!({"group_id": "g", "rollout_id": "b", "token_ids": [1, 2], "step_ends": [1]}).to_string(),
            "row 1, rollout b, column step_ends",
        ),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (bad, message) in bad {
        let last = good.to_string().replace("\"a\"", "\"z\"");
        let input = written(&folder, "a.jsonl", format!("{good}\n{bad}\n{last}"));
        for batch_rows in [1, 10] {
            let options = ImportOptions { batch_rows, ..ImportOptions::default() };
            let error = import("jsonl", std::slice::from_ref(&input), &options).unwrap_err();
            assert!(error.to_string().contains(message), "{error}");
            let options = ImportOptions { batch_rows, ..skipping() };
            let (batches, report) = import("jsonl", std::slice::from_ref(&input), &options).unwrap();
            assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 2);
            assert_eq!((report.rows, report.rejected_rows), (2, 1), "{report}");
            assert_eq!(report.rejected[0].line, 2);
        }
    }
}

#[test]
fn files_with_different_columns_are_one_table() {
    let folder = tempfile::tempdir().unwrap();
    let line =
        |rollout: &str, more: &str| format!(r#"{{"group_id": "g", "rollout_id": "{rollout}", {more}}}"#);
    let first = written(&folder, "a.jsonl", line("a", r#""score": 1, "step_costs": [1, 2]"#));
    let second = written(&folder, "b.jsonl", line("b", r#""score": 0.5, "reward": 1"#));
    let third = written(&folder, "c.jsonl", line("c", r#""score": "high""#));
    let inputs = [first.clone(), second, third];
    let (batches, _) = import("jsonl", &inputs[..2], &ImportOptions::default()).unwrap();
    let rows = arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap();
    let scores = rows.column_by_name("score").unwrap().as_primitive::<Float64Type>();
    assert_eq!(scores.values().as_ref(), [1.0, 0.5]);
    assert!(list(&rows, "step_costs").is_null(1));
    assert_eq!(rewards(&rows).collect::<Vec<_>>(), [None, Some(1.0)]);

    let error = import("jsonl", &inputs, &ImportOptions::default()).unwrap_err();
    assert!(error.to_string().contains("c.jsonl, column score: Utf8 here, Float64"), "{error}");
    let again = [first.clone(), first];
    let error = import("jsonl", &again, &ImportOptions::default()).unwrap_err();
    assert!(error.to_string().contains("the id is repeated"), "{error}");
}

#[test]
fn a_broken_parquet_file_is_an_error_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let input = written(&folder, "a.parquet", "PAR1 and then nothing of the sort");
    let error = import("parquet", &[input], &skipping()).unwrap_err();
    assert!(error.to_string().contains("a.parquet"), "{error}");
}

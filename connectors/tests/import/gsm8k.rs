//! GSM8K solutions.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use meed_connectors::import::ImportOptions;
use serde_json::{Value, json};

use crate::support::{
    check_reject, check_rows, groups, import, integers, list, numbers, real, skipping, text, texts, written,
};

pub const GOOD: &str = r####"{"question": "1+1?", "ground_truth": "so\n#### 2", "level": 1, "a": {"is_correct": true, "solution": "1+1=<<1+1=2>>2\nA: 2", "seed": 5}, "b": {"is_correct": false, "solution": "A: 3"}}"####;

#[test]
fn gsm8k_solutions() {
    let Some(input) = real("gsm8k_model_solutions.jsonl") else {
        return;
    };
    let options = ImportOptions { iteration: 3, batch_rows: 1000, ..ImportOptions::default() };
    let (batches, report) = import("gsm8k", &[input], &options).unwrap();
    assert_eq!((report.rows, report.rejected_rows), (5276, 0));
    assert_eq!(batches.iter().map(RecordBatch::num_rows).max(), Some(1000));
    let groups = groups(&batches);
    assert_eq!(groups.len(), 1319);
    assert!(groups.values().all(|rewards| rewards.len() == 4));
    let flat = |rewards: &&Vec<f64>| rewards.iter().all(|reward| *reward == rewards[0]);
    assert_eq!(groups.values().filter(flat).count(), 588);
    let mean = groups.values().flatten().sum::<f64>() / 5276.0;
    let (mut tokens, mut steps) = (0, 0);
    let mut calculations = [0; 3];
    for batch in &batches {
        let counted = check_rows(batch);
        (tokens, steps) = (tokens + counted.0, steps + counted.1);
        let iterations = batch.column_by_name("iteration").unwrap().as_primitive::<Int64Type>();
        assert!(iterations.values().iter().all(|iteration| *iteration == 3));
        for row in 0..batch.num_rows() {
            assert_eq!(
                texts(batch, "step_texts", row).into_iter().flatten().collect::<String>(),
                text(batch, "response", row).unwrap()
            );
            assert_eq!(
                text(batch, "rollout_id", row).unwrap(),
                format!("{}/{}", text(batch, "group_id", row).unwrap(), text(batch, "model", row).unwrap())
            );
            let metadata: Value = serde_json::from_str(text(batch, "metadata", row).unwrap()).unwrap();
            let truth = metadata["ground_truth"].as_str().unwrap();
            assert!(truth.ends_with(text(batch, "reference", row).unwrap()));
            for correct in numbers(batch, "step_calculations_correct", row) {
                calculations[correct.map_or(2, |correct| correct as usize)] += 1;
            }
        }
    }
    assert_eq!((tokens, steps), (1_485_458, 23_141));
    assert_eq!(mean, 2001.0 / 5276.0);
    assert_eq!(calculations, [42, 16_557, 6_542], "wrong, right, none");
    assert_eq!(text(&batches[0], "rollout_id", 3), Some("gsm8k-0000/175b_verification"));
    assert_eq!(text(&batches[0], "reference", 3), Some("18"));
}

#[test]
fn gsm8k_bad_lines_fail_or_are_left_out() {
    let bad: [(&[u8], &str); 7] = [
        (b"{\"question\": \"\xff\"}", "row 1: line 2 is not UTF-8 from byte 14 on"),
        (b"[1, 2]", "row 1: line 2 is an array, not a JSON object"),
        (b"{\"question\": ", "row 1: line 2 is not JSON: EOF"),
        (
            b"{\"question\": 3, \"ground_truth\": \"A: 2\"}",
            "row 1, column question: question is a number, not text",
        ),
        (b"{\"question\": \"q\", \"ground_truth\": \"A: 2\"}", "row 1: the line has no solution"),
        (
            br#"{"question": "q", "ground_truth": "A: 2", "a": {"solution": "A: 2"}}"#,
            "row 1, rollout gsm8k-0001/a, column is_correct: is_correct is missing, so there is no reward",
        ),
        (
            br#"{"question": "q", "ground_truth": "A: 2", "a": {"solution": null, "is_correct": true}}"#,
            "row 1, rollout gsm8k-0001/a, column solution: solution is null, not text",
        ),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (bad, message) in bad {
        let content = [GOOD.as_bytes(), b"\n", bad, b"\r\n\n", GOOD.as_bytes()].concat();
        let input = written(&folder, "lines.jsonl", content);
        let error = import("gsm8k", std::slice::from_ref(&input), &ImportOptions::default()).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
        assert!(error.to_string().contains("lines.jsonl, row 1"), "{error}");
        assert!(!error.hint().is_empty());
        let (batches, report) = import("gsm8k", &[input], &skipping()).unwrap();
        assert_eq!((report.rows, report.rejected_rows), (4, 1));
        assert_eq!(text(&batches[0], "group_id", 3), Some("gsm8k-0003"));
        check_reject(&report, message);
    }
}

#[test]
fn gsm8k_sets_one_bad_rollout_aside_and_keeps_its_group() {
    let line = GOOD.replace("\"is_correct\": false, ", "\"is_correct\": \"no\", ");
    let folder = tempfile::tempdir().unwrap();
    let (batches, report) = import("gsm8k", &[written(&folder, "a.jsonl", line)], &skipping()).unwrap();
    assert_eq!((report.rows, report.rejected_rows), (1, 1));
    let reason = &report.rejected[0].reason;
    assert!(reason.starts_with("rollout gsm8k-0000/b: column is_correct: "), "{reason}");
    assert_eq!(text(&batches[0], "model", 0), Some("a"));
    let metadata: Value = serde_json::from_str(text(&batches[0], "metadata", 0).unwrap()).unwrap();
    assert_eq!(metadata, json!({"level": 1, "ground_truth": "so\n#### 2", "seed": 5}));
    assert_eq!(numbers(&batches[0], "step_calculations_correct", 0), [Some(1.0), None]);
}

#[test]
fn lines_of_several_files_count_on() {
    let folder = tempfile::tempdir().unwrap();
    let first = written(&folder, "a.jsonl", format!("\u{feff}{GOOD}\n\n"));
    let second = written(&folder, "b.jsonl", GOOD);
    let (batches, _) = import("gsm8k", &[first, second], &ImportOptions::default()).unwrap();
    let groups = groups(&batches);
    assert_eq!(groups.keys().collect::<Vec<_>>(), ["gsm8k-0000", "gsm8k-0002"]);
}

#[test]
fn an_empty_solution_has_no_tokens() {
    let line = GOOD.replace("\"solution\": \"A: 3\"", "\"solution\": \"\"");
    let folder = tempfile::tempdir().unwrap();
    let input = written(&folder, "a.jsonl", line);
    let (batches, _) = import("gsm8k", &[input], &ImportOptions::default()).unwrap();
    assert_eq!(integers(&batches[0], "token_ids", 1), Vec::<i32>::new());
    assert!(list(&batches[0], "token_mask").is_valid(1));
    check_rows(&batches[0]);
}

#[test]
fn batches_hold_the_same_rows_whatever_their_size() {
    let folder = tempfile::tempdir().unwrap();
    let input = written(&folder, "a.jsonl", [GOOD; 9].join("\n"));
    let whole = |batch_rows| {
        let options = ImportOptions { batch_rows, ..ImportOptions::default() };
        let (batches, report) = import("gsm8k", std::slice::from_ref(&input), &options).unwrap();
        assert_eq!(report.rows, 18);
        arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap()
    };
    assert_eq!(whole(1), whole(7));
    assert_eq!(whole(1), whole(8192));
}

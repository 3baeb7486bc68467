//! The importers on real files, on broken ones, and with a tokenizer.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr, clippy::print_stdout, clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use arrow::array::{Array, AsArray, ListArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};
use meed_connectors::import::{
    IMPORTERS, ImportOptions, ImportReport, Tokenization, canonical_call, importer,
};
use meed_connectors::{Format, Location, OnError, write_batches};
use meed_operators::columns::{Table, is_environment_kind, validate};
use serde_json::{Value, json};

/// A file of the real data; `None`, said aloud, where it is absent.
fn real(name: &str) -> Option<Location> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(name);
    if !path.exists() {
        eprintln!("SKIPPED: {} is not there", path.display());
        return None;
    }
    Some(Location::parse(path.to_str().unwrap()).unwrap())
}

/// A file with this content.
fn written(folder: &tempfile::TempDir, name: &str, content: impl AsRef<[u8]>) -> Location {
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    Location::parse(path.to_str().unwrap()).unwrap()
}

fn skipping() -> ImportOptions {
    ImportOptions { on_error: OnError::Skip, ..ImportOptions::default() }
}

type Outcome = meed_operators::Result<(Vec<RecordBatch>, ImportReport)>;

fn import(name: &str, inputs: &[Location], options: &ImportOptions) -> Outcome {
    let imported = importer(name)?.import(inputs, options)?;
    let batches = imported.batches.collect::<meed_operators::Result<Vec<_>>>()?;
    for batch in &batches {
        assert_eq!(batch.schema(), imported.schema);
    }
    Ok((batches, imported.report.get()))
}

fn text<'a>(batch: &'a RecordBatch, column: &str, row: usize) -> Option<&'a str> {
    let column = batch.column_by_name(column).unwrap().as_string::<i32>();
    column.is_valid(row).then(|| column.value(row))
}

fn list<'a>(batch: &'a RecordBatch, column: &str) -> &'a ListArray {
    batch.column_by_name(column).unwrap().as_list()
}

fn integers(batch: &RecordBatch, column: &str, row: usize) -> Vec<i32> {
    list(batch, column).value(row).as_primitive::<Int32Type>().values().to_vec()
}

fn numbers(batch: &RecordBatch, column: &str, row: usize) -> Vec<Option<f64>> {
    list(batch, column).value(row).as_primitive::<Float64Type>().iter().collect()
}

fn texts(batch: &RecordBatch, column: &str, row: usize) -> Vec<Option<String>> {
    let values = list(batch, column).value(row);
    values.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect()
}

fn rewards(batch: &RecordBatch) -> impl Iterator<Item = Option<f64>> {
    batch.column_by_name("reward").unwrap().as_primitive::<Float64Type>().iter()
}

/// Checks what holds for every row that an importer with bytes as tokens writes: the schema, the
/// spans, the mask, and that tokens are the text. Returns the number of tokens and steps.
fn check_rows(batch: &RecordBatch) -> (usize, usize) {
    let (mut all_tokens, mut all_steps) = (0, 0);
    assert!(validate(batch, "imported", 0).unwrap().is_empty());
    for field in batch.schema().fields() {
        if let Some(column) = Table::Rollouts.column(field.name()) {
            assert_eq!(field.data_type(), &column.column_type.data_type(), "{field}");
        }
    }
    for row in 0..batch.num_rows() {
        let tokens = integers(batch, "token_ids", row);
        let mask = list(batch, "token_mask").value(row);
        let ends = integers(batch, "step_ends", row);
        let kinds = texts(batch, "step_kinds", row);
        let steps = texts(batch, "step_texts", row);
        assert_eq!(mask.len(), tokens.len());
        assert_eq!(mask.null_count(), 0);
        assert_eq!(ends.last().map_or(0, |end| *end as usize), tokens.len());
        for column in batch.schema().fields() {
            if column.name().starts_with("step_") && list(batch, column.name()).is_valid(row) {
                assert_eq!(list(batch, column.name()).value(row).len(), ends.len(), "{column}");
            }
        }
        let mut start = 0;
        for ((end, kind), step) in ends.iter().zip(&kinds).zip(&steps) {
            let span = start..*end as usize;
            let bytes: Vec<u8> = tokens[span.clone()].iter().map(|id| *id as u8).collect();
            assert_eq!(String::from_utf8(bytes).unwrap(), *step.as_ref().unwrap());
            let policy = !is_environment_kind(kind.as_ref().unwrap());
            assert!(span.clone().all(|token| mask.as_boolean().value(token) == policy));
            start = span.end;
        }
        let prompt = integers(batch, "prompt_ids", row);
        let prompt: Vec<u8> = prompt.iter().map(|id| *id as u8).collect();
        assert_eq!(prompt, text(batch, "prompt", row).unwrap().as_bytes());
        all_tokens += tokens.len();
        all_steps += ends.len();
    }
    (all_tokens, all_steps)
}

/// Rewards of every group, in order; panics if a group comes back after another one, or if a
/// rollout comes twice.
fn groups(batches: &[RecordBatch]) -> BTreeMap<String, Vec<f64>> {
    let mut groups: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    let mut last = String::new();
    let mut rollouts = BTreeSet::new();
    for batch in batches {
        for (row, reward) in rewards(batch).enumerate() {
            let group = text(batch, "group_id", row).unwrap();
            assert!(rollouts.insert(text(batch, "rollout_id", row).unwrap().to_owned()));
            assert!(group == last || !groups.contains_key(group), "{group} is split");
            last = group.to_owned();
            groups.entry(last.clone()).or_default().push(reward.unwrap());
        }
    }
    groups
}

#[test]
fn importers_are_listed_once_and_found_by_name() {
    let names: BTreeSet<&str> = IMPORTERS.iter().map(|importer| importer.name()).collect();
    assert_eq!(names.len(), IMPORTERS.len());
    for required in ["gsm8k", "tau-bench", "jsonl", "parquet"] {
        assert_eq!(importer(required).err().map(|error| error.to_string()), None);
    }
    let error = importer("nonsense").err().unwrap();
    assert!(error.hint().contains("tau-bench"), "{}", error.hint());
}

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
fn tau_bench_trials() {
    let Some(input) = real("tau_bench_airline_gpt4o.json") else {
        return;
    };
    let (batches, report) =
        import("tau-bench", std::slice::from_ref(&input), &ImportOptions::default()).unwrap();
    assert_eq!((report.rows, report.rejected_rows), (200, 0));
    let groups = groups(&batches);
    assert_eq!(groups.len(), 50);
    assert!(groups.values().all(|rewards| rewards.len() == 4));
    assert_eq!(groups.values().flatten().sum::<f64>(), 84.0);

    let raw: Value = serde_json::from_slice(&std::fs::read(input.local_path().unwrap()).unwrap()).unwrap();
    let mut messages = BTreeMap::new();
    for trial in raw.as_array().unwrap() {
        let id = format!("airline-{}-trial-{}", trial["task_id"], trial["trial"]);
        messages.insert(id, &trial["traj"]);
    }
    let (mut tokens, mut steps) = (0, 0);
    let mut statuses: BTreeMap<&str, usize> = BTreeMap::new();
    let mut states: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for batch in &batches {
        let counted = check_rows(batch);
        (tokens, steps) = (tokens + counted.0, steps + counted.1);
        for (row, reward) in rewards(batch).enumerate() {
            let id = text(batch, "rollout_id", row).unwrap();
            let kinds: Vec<String> = texts(batch, "step_kinds", row).into_iter().flatten().collect();
            *statuses.entry(text(batch, "status", row).unwrap()).or_default() += 1;
            check_calls(batch, row, &kinds, messages[id]);
            check_step_rewards(&numbers(batch, "step_rewards", row), &kinds, reward.unwrap());
            check_turns(&integers(batch, "step_turns", row), &kinds);
            for (state, kind) in texts(batch, "step_states", row).into_iter().flatten().zip(&kinds) {
                if !is_environment_kind(kind) {
                    let key = (text(batch, "group_id", row).unwrap().to_owned(), state);
                    states.entry(key).or_default().insert(id.to_owned());
                }
            }
            let metadata: Value = serde_json::from_str(text(batch, "metadata", row).unwrap()).unwrap();
            let gold = metadata["info"]["task"]["actions"].as_array().unwrap();
            assert_eq!(gold.len(), metadata["gold_actions"].as_array().unwrap().len());
        }
    }
    let shared = states.values().filter(|trials| trials.len() > 1).count();
    assert_eq!((tokens, steps), (1_443_986, 4_998));
    assert_eq!(report.unmapped["message key `tool_call_id`"], 1164);
    assert_eq!(statuses, BTreeMap::from([("complete", 195), ("truncated", 5)]));
    assert_eq!((states.len(), shared), (2355, 6));
}

/// The calls of a trial, in order, as `step_actions` must have them.
fn check_calls(batch: &RecordBatch, row: usize, kinds: &[String], messages: &Value) {
    let actions = texts(batch, "step_actions", row);
    let steps = texts(batch, "step_texts", row);
    let mut expected = Vec::new();
    for call in
        messages.as_array().unwrap().iter().flat_map(|message| {
            message.get("tool_calls").and_then(Value::as_array).cloned().unwrap_or_default()
        })
    {
        let arguments = call["function"]["arguments"].as_str().unwrap();
        let arguments: BTreeMap<String, Value> = serde_json::from_str(arguments).unwrap();
        expected.push((call["function"]["name"].as_str().unwrap().to_owned(), arguments));
    }
    let mut found = Vec::new();
    for ((kind, action), step) in kinds.iter().zip(actions).zip(steps) {
        match kind.as_str() {
            "tool_call" => {
                let action = action.unwrap();
                let (name, arguments) = action.split_once('(').unwrap();
                let arguments: Value = serde_json::from_str(arguments.strip_suffix(')').unwrap()).unwrap();
                assert_eq!(canonical_call(name, arguments.clone()), action);
                found.push((name.to_owned(), serde_json::from_value(arguments).unwrap()));
            }
            "policy" => assert_eq!(action.as_deref(), step.as_deref().map(str::trim)),
            "observation" | "user" => assert_eq!(action, None),
            other => panic!("step kind {other}"),
        }
    }
    assert_eq!(found, expected);
}

fn check_step_rewards(rewards: &[Option<f64>], kinds: &[String], outcome: f64) {
    let last = kinds.iter().rposition(|kind| !is_environment_kind(kind)).unwrap();
    for (step, (reward, kind)) in rewards.iter().zip(kinds).enumerate() {
        let expected = match is_environment_kind(kind) {
            true => None,
            false if step == last => Some(outcome),
            false => Some(0.0),
        };
        assert_eq!(*reward, expected);
    }
}

/// A turn is a maximal run of policy steps and the environment steps after it.
fn check_turns(turns: &[i32], kinds: &[String]) {
    assert_eq!(turns[0], 0);
    for step in 1..turns.len() {
        let begins = is_environment_kind(&kinds[step - 1]) && !is_environment_kind(&kinds[step]);
        assert_eq!(turns[step] - turns[step - 1], i32::from(begins), "step {step}");
    }
}

fn trial(task: i64, trial: i64, reward: Value, messages: Value) -> Value {
    json!({"task_id": task, "trial": trial, "reward": reward, "info": {}, "traj": messages})
}

fn dialogue(user: &str, assistant: Value) -> Value {
    json!([
        {"role": "system", "content": "# Retail agent policy\nBe kind."},
        {"role": "user", "content": user},
        assistant,
        {"role": "tool", "name": "look", "content": "seen", "tool_call_id": "x"},
        {"role": "assistant", "content": " done "},
    ])
}

#[test]
fn tau_bench_messages_with_text_and_calls_give_several_steps() {
    let call = |arguments: Value| json!({"id": "x", "function": {"name": "look", "arguments": arguments}});
    let assistant = json!({"role": "assistant", "content": "wait",
        "tool_calls": [call(json!("{\"b\": 1, \"a\": [ 2 ]}")), call(json!({"z": 1})), call(json!("{oops"))]});
    let file = json!([trial(4, 1, json!(1), dialogue("hi", assistant))]).to_string();
    let folder = tempfile::tempdir().unwrap();
    let input = written(&folder, "trials.json", file);
    let (batches, report) = import("tau-bench", &[input], &ImportOptions::default()).unwrap();
    let batch = &batches[0];
    check_rows(batch);
    assert_eq!(text(batch, "rollout_id", 0), Some("retail-4-trial-1"));
    assert_eq!(text(batch, "prompt", 0), Some("# Retail agent policy\nBe kind.\n\nhi"));
    let kinds: Vec<_> = texts(batch, "step_kinds", 0).into_iter().flatten().collect();
    assert_eq!(kinds, ["policy", "tool_call", "tool_call", "tool_call", "observation", "policy"]);
    let actions = texts(batch, "step_actions", 0);
    let actions: Vec<_> = actions.iter().map(|action| action.as_deref().unwrap_or("-")).collect();
    assert_eq!(actions, ["wait", r#"look({"a":[2],"b":1})"#, r#"look({"z":1})"#, "look({oops)", "-", "done"]);
    assert_eq!(integers(batch, "step_turns", 0), [0, 0, 0, 0, 0, 1]);
    let states: Vec<_> = texts(batch, "step_states", 0).into_iter().flatten().collect();
    assert_eq!(states[..5].iter().collect::<BTreeSet<_>>().len(), 1);
    assert_ne!(states[4], states[5]);
    assert_eq!(report.unmapped["arguments that are not JSON, kept as written"], 1);
}

#[test]
fn tau_bench_states_depend_on_what_was_observed_only() {
    let say = |text: &str| json!({"role": "assistant", "content": text});
    let file = json!([
        trial(0, 0, json!(0), dialogue("hi", say("one"))),
        trial(0, 1, json!(1), dialogue("hi", say("two"))),
        trial(0, 2, json!(1), dialogue("hello", say("one"))),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let input = written(&folder, "a.json", file.to_string());
    let (batches, _) = import("tau-bench", &[input], &ImportOptions::default()).unwrap();
    let states = |row| texts(&batches[0], "step_states", row);
    assert_eq!(states(0), states(1));
    assert!(states(0).iter().zip(states(2)).all(|(a, b)| *a != b));
}

#[test]
fn tau_bench_trials_that_broke_are_errors_and_no_zeros() {
    let say = json!({"role": "assistant", "content": "yes"});
    let mut failed = trial(0, 1, json!(0.0), json!([]));
    failed["info"] = json!({"error": "timeout", "traceback": "..."});
    let mut stopped = trial(0, 3, json!(0.0), dialogue("hi", say.clone()));
    stopped["info"]["reward_info"] = Value::Null;
    let file = json!([
        failed,
        trial(0, 0, json!(1.0), dialogue("hi", say.clone())),
        trial(0, 2, Value::Null, dialogue("hi", say)),
        stopped,
    ]);
    let folder = tempfile::tempdir().unwrap();
    let input = written(&folder, "run.json", file.to_string());
    let (batches, _) = import("tau-bench", &[input], &ImportOptions::default()).unwrap();
    let batch = &batches[0];
    let statuses: Vec<_> = (0..4).map(|row| text(batch, "status", row).unwrap()).collect();
    assert_eq!(statuses, ["complete", "error", "error", "truncated"]);
    assert_eq!(rewards(batch).collect::<Vec<_>>(), [Some(1.0), None, None, Some(0.0)]);
    assert_eq!(text(batch, "reward_status", 1), Some("the trial failed: timeout"));
    assert_eq!(text(batch, "group_id", 1), Some("retail-0"));
    assert!(list(batch, "step_rewards").is_null(2), "no reward, so none at a step");
    assert_eq!(integers(batch, "token_ids", 1), Vec::<i32>::new());
}

#[test]
fn tau_bench_bad_trials_fail_or_are_left_out() {
    let say = json!({"role": "assistant", "content": "yes"});
    let good = trial(0, 0, json!(1.0), dialogue("hi", say.clone()));
    let bad = [
        (json!(7), "row 1: a number where a trial is expected"),
        (json!({"task_id": 1, "traj": []}), "row 1, column trial: trial is missing, not a whole number"),
        (trial(0, 1, json!("1"), dialogue("hi", say.clone())), "reward is a string, not a number"),
        (
            trial(0, 1, json!(1), json!([{"role": "oracle", "content": "hm"}])),
            "message 0: role Some(\"oracle\")",
        ),
        (trial(0, 1, json!(1), json!(null)), "traj is null, not an array of messages"),
        (good.clone(), "rollout retail-0-trial-0: another trial has the same task and number"),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (bad, message) in bad {
        let input = written(&folder, "run.json", json!([good, bad]).to_string());
        let error = import("tau-bench", std::slice::from_ref(&input), &ImportOptions::default()).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
        assert!(error.to_string().contains("run.json, row 1"), "{error}");
        assert!(!error.hint().is_empty());
        let (batches, report) = import("tau-bench", &[input], &skipping()).unwrap();
        assert_eq!((batches[0].num_rows(), report.rows, report.rejected_rows), (1, 1, 1));
        check_reject(&report, message);
    }
    for whole in ["{}", "[{\"task_id\"", ""] {
        let input = written(&folder, "run.json", whole);
        let error = import("tau-bench", &[input], &skipping()).unwrap_err();
        assert!(error.to_string().contains("run.json"), "{error}");
    }
}

/// The second line or element was set aside with the reason that the error has after its place.
fn check_reject(report: &ImportReport, message: &str) {
    let reason = message.split_once(": ").map_or(message, |(_, reason)| reason);
    assert_eq!(report.rejected.len(), 1);
    assert_eq!(report.rejected[0].line, 2);
    assert!(report.rejected[0].reason.contains(reason), "{report}");
}

const GOOD: &str = r####"{"question": "1+1?", "ground_truth": "so\n#### 2", "level": 1, "a": {"is_correct": true, "solution": "1+1=<<1+1=2>>2\nA: 2", "seed": 5}, "b": {"is_correct": false, "solution": "A: 3"}}"####;

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
fn a_file_that_is_absent_ends_the_import_even_when_rows_are_skipped() {
    let input = Location::parse("/nowhere/a.jsonl").unwrap();
    for name in ["gsm8k", "tau-bench", "jsonl", "parquet"] {
        let error = import(name, std::slice::from_ref(&input), &skipping()).unwrap_err();
        assert!(error.to_string().contains("/nowhere/a.jsonl"), "{error}");
    }
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
fn a_tokenizer_decides_the_tokens_and_the_spans() {
    let words = ["[UNK]", "a", "b", "A:", "2", "[END]"];
    let vocabulary: BTreeMap<&str, usize> = words.iter().enumerate().map(|(id, word)| (*word, id)).collect();
    let tokenizer = json!({
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0},
        "padding": {"strategy": {"Fixed": 8}, "direction": "Right", "pad_to_multiple_of": null,
            "pad_id": 0, "pad_type_id": 0, "pad_token": "[UNK]"},
        "added_tokens": [{"id": 5, "content": "[END]", "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false, "special": true}],
        "normalizer": null,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": {"type": "TemplateProcessing",
            "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[END]", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": {"[END]": {"id": "[END]", "ids": [5], "tokens": ["[END]"]}}},
        "decoder": null,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"},
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    std::fs::write(&path, tokenizer.to_string()).unwrap();
    let options =
        ImportOptions { tokenizer: Tokenization::from_file(&path).unwrap(), ..ImportOptions::default() };
    let line = r#"{"question": "a b", "ground_truth": "A: 2", "m": {"is_correct": true, "solution": "a b b a zzz\nA: 2"}}"#;
    let input = written(&folder, "a.jsonl", line);
    let (batches, _) = import("gsm8k", &[input], &options).unwrap();
    assert_eq!(integers(&batches[0], "token_ids", 0), [1, 2, 2, 1, 0, 3, 4]);
    assert_eq!(integers(&batches[0], "step_ends", 0), [5, 7]);
    assert_eq!(integers(&batches[0], "prompt_ids", 0), [1, 2]);
    assert_eq!(list(&batches[0], "token_mask").value(0).as_boolean().true_count(), 7);

    std::fs::write(&path, "{}").unwrap();
    for broken in [path, folder.path().join("absent.json")] {
        let error = Tokenization::from_file(&broken).unwrap_err();
        assert!(error.to_string().contains(&broken.display().to_string()), "{error}");
    }
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
fn text_alone_becomes_tokens() {
    let lines = [
        json!({"group_id": "g", "rollout_id": "a", "prompt": "?", "response": "h\u{e9}", "reward": 1}),
        json!({"group_id": "g", "rollout_id": "b", "step_texts": ["ab", "", "c"],
            "step_kinds": ["policy", "think", "observation"], "step_doubts": [1, 2, 0.5]}),
        json!({"group_id": "g", "rollout_id": "c", "token_ids": [7, 8], "token_mask": [true, true],
            "response": "xyz"}),
        json!({"group_id": "g", "rollout_id": "d", "token_mask": [true, false, true], "response": "xy"}),
        json!({"group_id": "g", "rollout_id": "e", "step_rewards": [0, 1], "response": "xy"}),
    ];
    let content: Vec<String> = lines.iter().map(Value::to_string).collect();
    let folder = tempfile::tempdir().unwrap();
    let input = written(&folder, "a.jsonl", content.join("\n"));
    let options = ImportOptions { iteration: 7, ..ImportOptions::default() };
    let (batches, report) = import("jsonl", &[input], &options).unwrap();
    let batch = &batches[0];
    let mask = |row| list(batch, "token_mask").value(row).as_boolean().iter().flatten().collect::<Vec<_>>();
    assert_eq!(integers(batch, "token_ids", 0), [104, 195, 169]);
    assert_eq!(integers(batch, "prompt_ids", 0), [63]);
    assert_eq!(mask(0), [true; 3]);
    assert!(list(batch, "step_ends").is_null(0));
    assert_eq!(integers(batch, "token_ids", 1), [97, 98, 99]);
    assert_eq!(integers(batch, "step_ends", 1), [2, 2, 3]);
    assert_eq!(mask(1), [true, true, false]);
    assert_eq!(numbers(batch, "step_doubts", 1), [Some(1.0), Some(2.0), Some(0.5)]);
    assert_eq!(integers(batch, "token_ids", 2), [7, 8]);
    assert!(list(batch, "token_ids").is_null(3));
    assert_eq!(mask(3), [true, false, true]);
    assert!(list(batch, "token_ids").is_null(4));
    assert_eq!(integers(batch, "step_ends", 4), [1, 2]);
    assert_eq!(report.unmapped["response beside steps without texts, not tokenised"], 1);
    for row in 0..5 {
        assert_eq!(text(batch, "status", row), Some("complete"));
        assert_eq!(batch.column_by_name("iteration").unwrap().as_primitive::<Int64Type>().value(row), 7);
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

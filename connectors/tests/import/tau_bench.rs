//! Trials of tau-bench.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, RecordBatch};
use meed_connectors::import::{ImportOptions, canonical_call};
use meed_operators::columns::is_environment_kind;
use serde_json::{Value, json};

use crate::support::{
    check_reject, check_rows, groups, import, integers, list, numbers, real, rewards, skipping, text, texts,
    written,
};

#[test]
fn trials() {
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
            let calls: Value = serde_json::from_str(text(batch, "gold_calls", row).unwrap()).unwrap();
            for (call, gold) in calls.as_array().unwrap().iter().zip(gold) {
                assert_eq!((&call["name"], &call["arguments"]), (&gold["name"], &gold["kwargs"]));
            }
            assert_eq!(calls.as_array().unwrap().len(), gold.len());
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
fn messages_with_text_and_calls_give_several_steps() {
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
fn states_depend_on_what_was_observed_only() {
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
fn trials_that_broke_are_errors_and_no_zeros() {
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
fn bad_trials_fail_or_are_left_out() {
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

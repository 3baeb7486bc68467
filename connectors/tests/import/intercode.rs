//! Episodes of InterCode, compared with a direct reading of the files.

use std::collections::BTreeMap;

use arrow::array::AsArray;
use meed_connectors::import::ImportOptions;
use serde_json::{Value, json};

use crate::support::{
    check_reject, check_rows, groups, import, integers, list, numbers, real, rewards, skipping, text, texts,
    written,
};

#[test]
fn two_models_on_sql() {
    let (Some(first), Some(second)) = (real("intercode_sql_gpt4.json"), real("intercode_sql_gpt35.json"))
    else {
        return;
    };
    let mut raw: BTreeMap<String, Value> = BTreeMap::new();
    for (input, model) in [(&first, "gpt4"), (&second, "gpt35")] {
        let file: Value =
            serde_json::from_slice(&std::fs::read(input.local_path().unwrap()).unwrap()).unwrap();
        let episodes = file.as_object().unwrap().iter();
        raw.extend(episodes.map(|(task, episode)| (format!("ic_sql-{task}/{model}"), episode.clone())));
    }
    let (batches, report) = import("intercode", &[first, second], &ImportOptions::default()).unwrap();
    assert_eq!((report.rows, report.rejected_rows, report.unmapped.len()), (2068, 0, 0));
    let groups = groups(&batches);
    assert!(groups.len() == 1034 && groups.values().all(|rewards| rewards.len() == 2));
    let mut statuses: BTreeMap<&str, usize> = BTreeMap::new();
    let mut turns = 0;
    for batch in &batches {
        check_rows(batch);
        for (row, reward) in rewards(batch).enumerate() {
            let id = text(batch, "rollout_id", row).unwrap();
            let episode = &raw[id];
            let history = |key: &str| episode["turn_history"][key].as_array().unwrap().clone();
            assert_eq!(reward, episode["summary"]["max_reward"].as_f64(), "{id}");
            assert_eq!(id.split_once('/').unwrap().1, text(batch, "model", row).unwrap());
            let steps = texts(batch, "step_texts", row);
            let graded = numbers(batch, "step_rewards", row);
            let valid = list(batch, "step_action_valid").value(row);
            let (actions, observations) = (history("actions"), history("observations"));
            assert_eq!(steps.len(), 2 * actions.len());
            for (turn, (action, observation)) in actions.iter().zip(&observations).enumerate() {
                assert_eq!(steps[2 * turn].as_deref(), action.as_str());
                assert_eq!(steps[2 * turn + 1].as_deref(), observation.as_str());
                assert_eq!(graded[2 * turn], history("rewards")[turn].as_f64());
                assert_eq!(graded[2 * turn + 1], None);
                assert_eq!(Some(valid.as_boolean().value(2 * turn)), history("valid_action")[turn].as_bool());
                assert_eq!(integers(batch, "step_turns", row)[2 * turn], turn as i32);
            }
            let grades: Vec<_> = history("rewards").iter().map(Value::as_f64).collect();
            assert_eq!(numbers(batch, "turn_rewards", row), grades);
            turns += actions.len();
            *statuses.entry(text(batch, "status", row).unwrap()).or_default() += 1;
            let truncated = actions.len() == 10 && reward < Some(1.0);
            assert_eq!(text(batch, "status", row) == Some("truncated"), truncated, "{id}");
        }
    }
    assert_eq!(turns, 13_366);
    assert_eq!(statuses, BTreeMap::from([("complete", 1251), ("truncated", 817)]));
}

fn episode(task: i64, rewards: Value, best: Value) -> Value {
    let turns = rewards.as_array().unwrap().len();
    json!({
        "environment": "ic_sql", "task_id": task, "query": "How many?", "hardness": "easy",
        "turn_history": {"actions": vec![" SHOW TABLES "; turns], "observations": vec!["[]"; turns],
            "rewards": rewards, "valid_action": vec![true; turns]},
        "summary": {"max_reward": best, "max_reward_idx": 0, "turns_taken": turns, "turns_max": 2},
    })
}

#[test]
fn an_episode_without_a_best_reward_is_an_error_and_no_zero() {
    let file = json!({
        "0": episode(0, json!([0.0, null]), json!(null)),
        "1": episode(1, json!([0.5, 0.2]), json!(0.5)),
        "2": episode(2, json!([0, 1]), json!(1)),
    });
    let folder = tempfile::tempdir().unwrap();
    let input = written(&folder, "ic_sql_multiturn_gpt-4_10_turns.json", file.to_string());
    let (batches, _) = import("intercode", &[input], &ImportOptions::default()).unwrap();
    let batch = &batches[0];
    check_rows(batch);
    assert_eq!(text(batch, "rollout_id", 0), Some("ic_sql-0/gpt-4"));
    let statuses: Vec<_> = (0..3).map(|row| text(batch, "status", row).unwrap()).collect();
    assert_eq!(statuses, ["error", "truncated", "complete"]);
    assert_eq!(rewards(batch).collect::<Vec<_>>(), [None, Some(0.5), Some(1.0)]);
    assert_eq!(numbers(batch, "step_rewards", 0), [Some(0.0), None, None, None]);
    assert_eq!(texts(batch, "step_actions", 0)[0].as_deref(), Some("SHOW TABLES"));
    let states = texts(batch, "step_states", 0);
    assert_eq!(states[0], states[1]);
    assert_ne!(states[1], states[2]);
    let metadata: Value = serde_json::from_str(text(batch, "metadata", 1).unwrap()).unwrap();
    let summary = json!({"max_reward_idx": 0, "turns_taken": 2, "turns_max": 2});
    assert_eq!(metadata, json!({"hardness": "easy", "summary": summary}));
}

#[test]
fn bad_episodes_fail_or_are_left_out() {
    let mut uneven = episode(1, json!([0]), json!(0));
    uneven["turn_history"]["observations"] = json!([]);
    let bad = [
        (json!(3), "row 1: this is not an episode"),
        (uneven, "the history has 1 actions, 0 observations, 1 rewards and 1 marks of validity"),
        (episode(0, json!([1]), json!(1)), "another episode has the same task and model"),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (bad, message) in bad {
        let file = json!({"0": episode(0, json!([1]), json!(1)), "1": bad});
        let input = written(&folder, "run.json", file.to_string());
        let error = import("intercode", std::slice::from_ref(&input), &ImportOptions::default()).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
        assert!(error.to_string().contains("run.json, row 1") && !error.hint().is_empty(), "{error}");
        let (_, report) = import("intercode", &[input], &skipping()).unwrap();
        assert_eq!((report.rows, report.rejected_rows), (1, 1));
        check_reject(&report, message);
    }
}

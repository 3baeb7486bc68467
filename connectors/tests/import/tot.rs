//! Trees of thoughts on the Game of 24, compared with a direct reading of the log.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use meed_connectors::import::ImportOptions;
use serde_json::{Value, json};

use crate::support::{
    check_reject, check_rows, groups, import, numbers, real, rewards, skipping, text, texts, written,
};
use crate::trees::{Node, path, split, step_nodes};

/// The node of a place in the search.
fn at(nodes: &[Node], step: usize, position: usize) -> &Node {
    let place = |node: &&Node| node.metadata["step"] == step && node.metadata["position"] == position;
    let mut found = nodes.iter().filter(place);
    let node = found.next().unwrap();
    assert!(found.next().is_none(), "one node a place");
    node
}

fn array(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}

#[test]
fn the_game_of_24() {
    let Some(input) = real("tot_game24_tree.json") else {
        return;
    };
    let raw: Value = serde_json::from_slice(&std::fs::read(input.local_path().unwrap()).unwrap()).unwrap();
    let (batches, report) = import("tot", &[input], &ImportOptions::default()).unwrap();
    let (rollouts, trees) = split(batches);
    assert_eq!((report.rows, report.rejected_rows), (500, 0));
    assert_eq!(trees.len(), 100);
    assert_eq!(trees.values().map(Vec::len).sum::<usize>(), 8412);

    let (mut duplicates, mut leaves, mut usage) = (0, BTreeMap::new(), BTreeMap::new());
    for task in array(&raw) {
        let group = format!("game24-{}", task["idx"]);
        let nodes = &trees[&group];
        let mut candidates = 0;
        for (step, level) in array(&task["steps"]).iter().enumerate() {
            let mut kept = Vec::new();
            for (position, candidate) in array(&level["new_ys"]).iter().enumerate() {
                let node = at(nodes, step, position);
                let says: String = path(nodes, node).iter().map(|node| node.text.as_str()).collect();
                assert_eq!(says, candidate.as_str().unwrap(), "{group}, {step}, {position}");
                assert_eq!(node.value, level["values"][position].as_f64());
                assert_eq!(node.depth as usize, step + 1);
                let parent = node.parent.map(|parent| nodes[parent as usize].kind.as_str());
                assert_eq!(parent, (step > 0).then_some("kept"), "only what was kept goes on");
                if node.kind == "kept" {
                    kept.push(candidate.clone());
                }
                duplicates += usize::from(node.metadata.get("duplicate_of").is_some());
                candidates += 1;
            }
            let mut selected = array(&level["select_new_ys"]).clone();
            kept.sort_by_key(Value::to_string);
            selected.sort_by_key(Value::to_string);
            assert_eq!(kept, selected, "{group}, {step}");
        }
        assert_eq!(candidates, nodes.len());
        for (answer, verdict) in array(&task["ys"]).iter().zip(array(&task["infos"])) {
            leaves.insert((group.clone(), answer.as_str().unwrap().to_owned()), verdict["r"].as_f64());
        }
        let judged = nodes.iter().filter(|node| node.reward.is_some());
        assert_eq!(judged.filter_map(|node| node.reward).sum::<f64>(), sum(&task["infos"]));
        assert_eq!(nodes.iter().filter(|node| node.depth == 1).map(|node| node.visits).sum::<i64>(), 5);
        usage.insert(group, task["usage_so_far"].clone());
    }
    assert_eq!(duplicates, 15, "texts that repeat inside their level");
    let guessed = "which of several candidates with the same text another goes on from, guessed";
    assert_eq!(report.unmapped, BTreeMap::from([(guessed.to_owned(), 10)]));

    let rewarded = groups(&rollouts);
    assert_eq!(rewarded.values().flatten().sum::<f64>(), 119.0);
    assert!(rewarded.len() == 100 && rewarded.values().all(|rewards| rewards.len() == 5));
    for batch in &rollouts {
        check_rows(batch);
        for (row, reward) in rewards(batch).enumerate() {
            check_rollout(batch, row, reward, &trees);
            let key = (
                text(batch, "group_id", row).unwrap().to_owned(),
                text(batch, "response", row).unwrap().to_owned(),
            );
            assert_eq!(leaves[&key], reward);
            let metadata: Value = serde_json::from_str(text(batch, "metadata", row).unwrap()).unwrap();
            assert_eq!(metadata, json!({"usage_so_far": usage[&key.0]}));
        }
    }
}

fn sum(verdicts: &Value) -> f64 {
    array(verdicts).iter().filter_map(|verdict| verdict["r"].as_f64()).sum()
}

/// A rollout is the path of kept nodes to its leaf, one step a node.
fn check_rollout(batch: &RecordBatch, row: usize, reward: Option<f64>, trees: &BTreeMap<String, Vec<Node>>) {
    let group = text(batch, "group_id", row).unwrap();
    let nodes = &trees[group];
    let steps: Vec<i64> = step_nodes(batch, row).into_iter().flatten().collect();
    let leaf = &nodes[*steps.last().unwrap() as usize];
    assert_eq!(text(batch, "rollout_id", row).unwrap(), format!("{group}-leaf-{}", leaf.id));
    assert_eq!((leaf.visits, leaf.reward), (1, reward));
    let path = path(nodes, leaf);
    assert!(path.iter().all(|node| node.kind == "kept"));
    assert_eq!(path.iter().map(|node| node.id).collect::<Vec<_>>(), steps);
    let values: Vec<Option<f64>> = path.iter().map(|node| node.value).collect();
    assert_eq!(numbers(batch, "step_scores", row), values);
    let before = [&[None], &values[..values.len() - 1]].concat();
    assert_eq!(numbers(batch, "step_values", row), before, "the value before a step is its parent's");
    let says: String = texts(batch, "step_texts", row).into_iter().flatten().collect();
    assert_eq!(says, text(batch, "response", row).unwrap());
    let mut rewards = vec![Some(0.0); steps.len()];
    *rewards.last_mut().unwrap() = reward;
    assert_eq!(numbers(batch, "step_rewards", row), rewards);
}

/// A search of one level, in which two candidates have the same text and both are kept.
fn task(index: i64) -> Value {
    json!({
        "idx": index,
        "steps": [
            {"step": 0, "x": "1 2 3 4", "ys": [""], "new_ys": ["1 + 2 = 3 (left: 4 3 3)\n",
                "3 / 2 (not whole)\n", "1 + 2 = 3 (left: 4 3 3)\n"], "values": [2.0, null, 0],
                "select_new_ys": ["1 + 2 = 3 (left: 4 3 3)\n", "1 + 2 = 3 (left: 4 3 3)\n"]},
            {"step": 1, "x": "1 2 3 4", "ys": ["1 + 2 = 3 (left: 4 3 3)\n", "1 + 2 = 3 (left: 4 3 3)\n"],
                "new_ys": ["1 + 2 = 3 (left: 4 3 3)\n3 + 3 = 6 (left: 4 6)\n",
                    "1 + 2 = 3 (left: 4 3 3)\n3 + 3 = 6 (left: 4 6)\n"], "values": [1, 0],
                "select_new_ys": ["1 + 2 = 3 (left: 4 3 3)\n3 + 3 = 6 (left: 4 6)\n"]},
        ],
        "ys": ["1 + 2 = 3 (left: 4 3 3)\n3 + 3 = 6 (left: 4 6)\n"],
        "infos": [{"r": 1}],
    })
}

#[test]
fn equal_texts_are_different_nodes() {
    let folder = tempfile::tempdir().unwrap();
    let input = written(&folder, "a.json", json!([task(7)]).to_string());
    let (rollouts, trees) = split(import("tot", &[input], &ImportOptions::default()).unwrap().0);
    let nodes = &trees["game24-7"];
    let kinds: Vec<_> = nodes.iter().map(|node| (node.kind.as_str(), node.parent, node.value)).collect();
    let expected = [
        ("kept", None, Some(2.0)),
        ("dropped", None, None),
        ("kept", None, Some(0.0)),
        ("kept", Some(0), Some(1.0)),
        ("dropped", Some(2), Some(0.0)),
    ];
    assert_eq!(kinds, expected);
    assert_eq!(nodes[2].metadata, json!({"step": 0, "position": 2, "duplicate_of": 0}));
    assert_eq!(step_nodes(&rollouts[0], 0), [Some(0), Some(3)]);
    assert_eq!(texts(&rollouts[0], "step_states", 0), [Some("1 2 3 4".to_owned()), Some("3 3 4".to_owned())]);
    let actions: Vec<_> = texts(&rollouts[0], "step_actions", 0).into_iter().flatten().collect();
    assert_eq!(actions, ["1 + 2 = 3", "3 + 3 = 6"]);
}

#[test]
fn a_leaf_without_a_verdict_is_an_error_and_no_zero() {
    let mut search = task(7);
    search["infos"][0] = json!({});
    let folder = tempfile::tempdir().unwrap();
    let input = written(&folder, "a.json", json!([search]).to_string());
    let (rollouts, trees) = split(import("tot", &[input], &ImportOptions::default()).unwrap().0);
    assert_eq!(text(&rollouts[0], "status", 0), Some("error"));
    assert_eq!(text(&rollouts[0], "reward_status", 0), Some("the file has no verdict on this leaf"));
    assert_eq!(rewards(&rollouts[0]).collect::<Vec<_>>(), [None]);
    assert!(trees["game24-7"].iter().all(|node| node.reward.is_none()));
}

#[test]
fn broken_searches_fail_or_are_left_out() {
    let with = |pointer: &str, value: Value| {
        let mut search = task(2);
        *search.pointer_mut(pointer).unwrap() = value;
        search
    };
    let bad = [
        (json!(7), "row 1: this is not a task of a search"),
        (task(1), "rollout game24-1: another task has the same index"),
        (with("/steps", json!([])), "the search has no levels"),
        (with("/steps/0/x", json!("a text")), "`a text` is no puzzle of four numbers"),
        (with("/steps/0/values", json!([1])), "level 0: 3 candidates have 1 values"),
        (with("/steps/0/select_new_ys", json!(["2 + 2\n"])), "was kept and is no candidate"),
        (with("/steps/1/ys", json!([])), "level 1: `ys` are not the candidates that were kept before"),
        (with("/steps/1/new_ys", json!(["a", "b"])), "goes on from no candidate that was kept"),
        (with("/ys", json!([])), "`ys` are not the candidates that the last level kept"),
        (with("/infos", json!([])), "1 candidates have 0 verdicts"),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (bad, message) in bad {
        let input = written(&folder, "run.json", json!([task(1), bad]).to_string());
        let error = import("tot", std::slice::from_ref(&input), &ImportOptions::default()).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
        assert!(error.to_string().contains("run.json, row 1") && !error.hint().is_empty(), "{error}");
        let (batches, report) = import("tot", &[input], &skipping()).unwrap();
        let (rollouts, trees) = split(batches);
        assert_eq!((rollouts.len(), report.rows, report.rejected_rows, trees.len()), (1, 1, 1, 1));
        check_reject(&report, message);
    }
    let input = written(&folder, "run.json", "{}");
    let error = import("tot", &[input], &skipping()).unwrap_err();
    assert!(error.to_string().contains("reading the tasks in"), "{error}");
}

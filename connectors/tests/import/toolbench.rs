//! Search trees of ToolBench, compared with a direct reading of the files.

use std::collections::BTreeMap;

use meed_connectors::Location;
use meed_connectors::import::ImportOptions;
use serde_json::{Map, Value, json};

use crate::support::{check_rows, import, integers, numbers, real, rewards, skipping, text, texts, written};
use crate::trees::{Node, path, split, step_nodes};

/// The tree of a file, put together again from its nodes.
fn rebuilt(nodes: &[Node], number: usize) -> Value {
    let node = &nodes[number];
    let Value::Object(mut fields) = node.metadata.clone() else {
        panic!("metadata is an object");
    };
    if number == 0 {
        ["win", "forward_args", "answer_generation"].iter().for_each(|key| {
            fields.remove(*key);
        });
    }
    let node_type = match node.kind.as_str() {
        "thought" => "Thought",
        "action" => "Action",
        _ => "Action Input",
    };
    fields.insert("node_type".to_owned(), node_type.into());
    fields.insert("description".to_owned(), node.text.clone().into());
    fields.insert("depth".to_owned(), node.depth.into());
    let children = (0..nodes.len()).filter(|&child| nodes[child].parent == Some(number as i64));
    fields.insert("children".to_owned(), children.map(|child| rebuilt(nodes, child)).collect());
    Value::Object(fields)
}

/// Nodes and leaves below, that one included, with the codes of the leaves.
fn count(node: &Value, codes: &mut BTreeMap<Option<i64>, usize>) -> usize {
    let children = node["children"].as_array().unwrap();
    if children.is_empty() {
        *codes.entry(node.get("observation_code").and_then(Value::as_i64)).or_default() += 1;
    }
    1 + children.iter().map(|child| count(child, codes)).sum::<usize>()
}

#[test]
fn fifteen_trees() {
    let Some(folder) = real("toolbench_trees") else {
        return;
    };
    let pattern = format!("{}/*.json", folder.local_path().unwrap().display());
    let inputs = Location::parse(&pattern).unwrap().files().unwrap();
    assert_eq!(inputs.len(), 15);
    let (batches, report) = import("toolbench", &inputs, &ImportOptions::default()).unwrap();
    let (rollouts, trees) = split(batches);
    assert_eq!(trees.len(), 15);
    let (mut codes, mut all, mut wins) = (BTreeMap::new(), 0, 0.0);
    for input in &inputs {
        let path = input.local_path().unwrap();
        let raw: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let nodes = &trees[path.file_stem().unwrap().to_str().unwrap()];
        assert_eq!(rebuilt(nodes, 0), raw["tree"]["tree"], "{}", path.display());
        assert_eq!(nodes.len(), raw["tree"]["size"].as_u64().unwrap() as usize);
        all += count(&raw["tree"]["tree"], &mut codes);
        assert_eq!(nodes[0].metadata["win"], raw["win"]);
        let answered = nodes.iter().filter_map(|node| node.reward).sum::<f64>();
        assert_eq!(answered, f64::from(raw["win"].as_bool().unwrap()));
        wins += answered;
    }
    assert_eq!(all, trees.values().map(Vec::len).sum::<usize>());
    assert_eq!((all, wins), (886, 9.0));
    assert_eq!(codes.values().sum::<usize>() as u64, report.rows);

    let mut endings: BTreeMap<(String, Option<i64>), usize> = BTreeMap::new();
    for batch in &rollouts {
        check_rows(batch);
        for (row, reward) in rewards(batch).enumerate() {
            let status = text(batch, "status", row).unwrap().to_owned();
            *endings.entry((status, reward.map(|reward| reward as i64))).or_default() += 1;
            assert_eq!(reward.is_none(), text(batch, "reward_status", row).is_some());
            let nodes = &trees[text(batch, "group_id", row).unwrap()];
            let steps: Vec<i64> = step_nodes(batch, row).into_iter().flatten().collect();
            let leaf = &nodes[*steps.last().unwrap() as usize];
            assert_eq!(path(nodes, leaf).iter().map(|node| node.id).collect::<Vec<_>>(), steps);
            assert_eq!((leaf.reward, leaf.visits), (reward, 1));
        }
    }
    let cut_off = codes.iter().filter(|(code, _)| !matches!(code, Some(3 | 4))).map(|(_, count)| count).sum();
    let expected = [
        (("complete".to_owned(), Some(0)), codes[&Some(4)]),
        (("complete".to_owned(), Some(1)), codes[&Some(3)]),
        (("truncated".to_owned(), None), cut_off),
    ];
    assert_eq!(endings, BTreeMap::from(expected));
}

fn node(node_type: &str, description: &str, more: Value, children: Value) -> Value {
    let mut node = json!({"node_type": node_type, "description": description, "pruned": false,
        "is_terminal": false, "children": children});
    let own: Map<String, Value> = more.as_object().unwrap().clone();
    node.as_object_mut().unwrap().extend(own);
    node
}

fn observed(description: &str, code: i64, children: Value) -> Value {
    node(
        "Action Input",
        description,
        json!({"observation": format!("seen {code}"), "observation_code": code}),
        children,
    )
}

/// One path that answers, one that gives up, one that is cut off.
fn search() -> Value {
    let finish =
        |code| json!([node("Action", "Finish", json!({}), json!([observed("{}", code, json!([]))]))]);
    let called = node(
        "Action",
        "look",
        json!({}),
        json!([observed(
            "{\"b\": 1, \"a\": 2}",
            0,
            json!([
                node("Thought", "done? ", json!({}), finish(3)),
                node("Thought", "no", json!({}), finish(4)),
            ])
        )]),
    );
    let unknown = node("Action", "nothing", json!({}), json!([observed("{oops", 1, json!([]))]));
    json!({
        "win": true,
        "tree": {"size": 11, "tree": node("Action Input", "", json!({}), json!([called, unknown]))},
        "forward_args": {"single_chain_max_step": 12},
        "compare_candidates": [[]],
        "answer_generation": {"query": "Look!", "finish_type": "give_answer", "train_messages": []},
    })
}

#[test]
fn paths_are_rollouts_with_calls_and_observations() {
    let folder = tempfile::tempdir().unwrap();
    let input = written(&folder, "task.json", search().to_string());
    let (batches, report) = import("toolbench", &[input], &ImportOptions::default()).unwrap();
    let (rollouts, trees) = split(batches);
    let batch = &rollouts[0];
    check_rows(batch);
    assert_eq!(trees["task"][0].metadata["answer_generation"], json!({"finish_type": "give_answer"}));
    assert_eq!(report.unmapped.values().sum::<u64>(), 3, "{report}");
    let ids: Vec<_> = (0..3).map(|row| text(batch, "rollout_id", row).unwrap()).collect();
    assert_eq!(ids, ["task-leaf-5", "task-leaf-8", "task-leaf-10"]);
    assert_eq!(rewards(batch).collect::<Vec<_>>(), [Some(1.0), Some(0.0), None]);
    assert_eq!(text(batch, "status", 2), Some("aborted"));
    assert_eq!(text(batch, "prompt", 0), Some("Look!"));
    let kinds: Vec<_> = texts(batch, "step_kinds", 0).into_iter().flatten().collect();
    let expected =
        ["tool_call", "tool_call", "observation", "think", "tool_call", "tool_call", "observation"];
    assert_eq!(kinds, expected);
    assert_eq!(step_nodes(batch, 0), [Some(1), Some(2), None, Some(3), Some(4), Some(5), None]);
    assert_eq!(integers(batch, "step_turns", 0), [0, 0, 0, 1, 1, 1, 1]);
    let actions = texts(batch, "step_actions", 0);
    let actions: Vec<_> = actions.iter().map(|action| action.as_deref().unwrap_or("-")).collect();
    assert_eq!(actions, ["look", r#"look({"a":2,"b":1})"#, "-", "done?", "Finish", "Finish({})", "-"]);
    let states = |row| texts(batch, "step_states", row);
    assert_eq!(states(0), states(1), "both have seen the same, whatever they thought");
    assert_eq!((&states(0)[0], &states(0)[1]), (&states(2)[0], &states(2)[1]));
    assert_eq!(numbers(batch, "step_rewards", 1)[5], Some(0.0));
    assert_eq!(texts(batch, "step_actions", 2)[1].as_deref(), Some("nothing({oops)"));
}

#[test]
fn broken_trees_fail_or_are_left_out() {
    let with = |pointer: &str, value: Value| {
        let mut search = search();
        *search.pointer_mut(pointer).unwrap() = value;
        search
    };
    let bad = [
        (json!([]), "this is not a search tree"),
        (with("/tree/tree", json!(1)), "node 0 is a number, not an object"),
        (with("/tree/tree/children", json!("x")), "node 0: children are a string"),
        (
            with("/tree/tree/children/0/node_type", json!("Guess")),
            "node 1: there are no nodes of type `Guess`",
        ),
        (with("/tree/tree/children/0/description", json!(null)), "node 1: description is null"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let good = written(&folder, "good.json", search().to_string());
    for (bad, message) in bad {
        let input = written(&folder, "bad.json", bad.to_string());
        let inputs = [input, good.clone()];
        let error = import("toolbench", &inputs, &ImportOptions::default()).unwrap_err();
        assert!(error.to_string().contains(message) && error.to_string().contains("bad.json"), "{error}");
        let (batches, report) = import("toolbench", &inputs, &skipping()).unwrap();
        assert_eq!((report.rows, report.rejected_rows, split(batches).1.len()), (3, 1, 1));
    }
    let error = import("toolbench", &[good.clone(), good], &ImportOptions::default()).unwrap_err();
    assert!(error.to_string().contains("another file is called good too"), "{error}");
}

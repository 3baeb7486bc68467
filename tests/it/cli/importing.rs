//! `meed import`: reports, repeated imports, tokenizers.

use serde_json::{Value, json};

use super::{Place, rollouts};

#[test]
fn the_same_files_are_imported_once() {
    let place = Place::new();
    place.write_lines("rows.jsonl", &rollouts());
    let arguments = ["import", "jsonl", "rows.jsonl", "--to", "rows"];
    let count = || place.query("select count(*) as n from rows")[0]["n"].clone();
    let said = place.does(&arguments);
    assert!(
        said.contains("7 rows imported to dataset rows in")
            && said.contains("rows/s")
            && said.contains("0 rejected"),
        "{said}"
    );
    assert!(place.does(&arguments).contains("nothing to do"));
    // A touched file is the same file; a changed one is not.
    place.write_lines("rows.jsonl", &rollouts());
    assert!(place.does(&arguments).contains("nothing to do"));
    assert_eq!(count(), 7);
    assert!(place.does(&[&arguments[..], &["--iteration", "3"]].concat()).contains("7 rows imported"));
    assert!(place.does(&[&arguments[..], &["--new-run"]].concat()).contains("7 rows imported"));
    assert_eq!(count(), 21);
    assert_eq!(
        place.query("select distinct iteration from rows order by 1"),
        [json!({"iteration": 0}), json!({"iteration": 3})]
    );
}

#[test]
fn what_no_column_takes_is_listed() {
    let place = Place::new();
    let line = json!({"group_id": "g", "rollout_id": "a", "reward": 1.0, "response": "2", "tags": ["easy"]});
    place.write_lines("rows.jsonl", &[line]);
    let said = place.does(&["import", "jsonl", "rows.jsonl", "--to", "rows"]);
    assert!(said.contains("1 rows imported") && said.contains("not mapped: column `tags`"), "{said}");
}

#[test]
fn text_becomes_bytes_and_a_broken_tokenizer_is_named() {
    let place = Place::new();
    let line = json!({"group_id": "g", "rollout_id": "a", "reward": 1.0, "response": "né"});
    place.write_lines("rows.jsonl", &[line]);
    place.does(&["import", "jsonl", "rows.jsonl", "--to", "rows"]);
    assert_eq!(place.query("select token_ids from rows")[0], json!({"token_ids": [110, 195, 169]}));
    std::fs::write(place.path("tokenizer.json"), "{}").expect("a file");
    let arguments = ["import", "jsonl", "rows.jsonl", "--to", "other", "--tokenizer", "tokenizer.json"];
    place.refuses(1, &arguments, &["tokenizer.json", "hint: "]);
}

#[test]
fn several_files_become_one_dataset_with_groups_together() {
    let place = Place::new();
    let rows = rollouts();
    let (even, odd): (Vec<_>, Vec<_>) =
        rows.iter().cloned().enumerate().partition(|(index, _)| index % 2 == 0);
    let plain =
        |rows: Vec<(usize, serde_json::Value)>| rows.into_iter().map(|(_, row)| row).collect::<Vec<_>>();
    place.write_lines("even.jsonl", &plain(even));
    place.write_lines("odd.jsonl", &plain(odd));
    let said = place.does(&["import", "jsonl", "even.jsonl", "odd.jsonl", "--to", "rows"]);
    assert!(said.contains("sorted 7 rows") && said.contains("7 rows imported"), "{said}");
    let said = place.does(&["assign", "--recipe", "rloo", "--from", "rows", "--to", "rows"]);
    assert!(said.contains("7 rollouts in 3 groups"), "{said}");
}

/// A search that proposed two candidates and kept one.
fn search() -> Value {
    json!([{
        "idx": 3,
        "steps": [{"x": "4 6 1 1", "ys": [""], "new_ys": ["4 * 6 = 24 (left: 1 1 24)\n", "4 + 6 = 10 (left: 1 1 10)\n"],
            "values": [20, 1], "select_new_ys": ["4 * 6 = 24 (left: 1 1 24)\n"]}],
        "ys": ["4 * 6 = 24 (left: 1 1 24)\n"],
        "infos": [{"r": 1}],
    }])
}

#[test]
fn nodes_of_trees_are_written_beside() {
    let place = Place::new();
    std::fs::write(place.path("log.json"), search().to_string()).expect("a file");
    let said = place.does(&["import", "tot", "log.json", "--to", "searches"]);
    assert!(
        said.contains("1 rows imported to dataset searches") && said.contains("2 nodes written"),
        "{said}"
    );
    let rows = place.query("select node_id, kind, value, reward from searches_nodes order by node_id");
    let node =
        |id, kind, value, reward| json!({"node_id": id, "kind": kind, "value": value, "reward": reward});
    assert_eq!(rows, [node(0, "kept", 20.0, json!(1.0)), node(1, "dropped", 1.0, Value::Null)]);
    assert!(place.does(&["import", "tot", "log.json", "--to", "searches"]).contains("nothing to do"));
    assert_eq!(place.query("select count(*) as n from searches_nodes"), [json!({"n": 2})]);
    let written = place.tells(&["history", "searches_nodes"]);
    assert!(written.contains("meed import tot log.json --to searches"), "{written}");

    for to in ["out.parquet", "out.arrow", "out.jsonl"] {
        let beside = to.replace("out", "out_nodes");
        let said = place.does(&["import", "tot", "log.json", "--to", to]);
        assert!(said.contains(&format!("2 nodes written to {beside}")), "{said}");
        assert!(place.path(&beside).exists());
    }
    assert_eq!(place.query("select count(*) as n from 'out_nodes.parquet'"), [json!({"n": 2})]);
}

#[test]
fn formats_say_what_they_map_and_what_not() {
    let place = Place::new();
    let help = place.tells(&["import", "--help"]);
    for says in ["tot ", "toolbench ", "intercode ", "Not mapped: ", "Writes nodes beside the rollouts."] {
        assert!(help.contains(says), "{says}: {help}");
    }
}

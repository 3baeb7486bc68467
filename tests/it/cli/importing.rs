//! `meed import`: reports, repeated imports, tokenizers.

use serde_json::json;

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

//! `meed assign`: files and datasets, several recipes, runs that are repeated.

use std::collections::BTreeMap;
use std::net::TcpListener;

use serde_json::{Value, json};

use super::{Place, Ran, rollout, rollouts};

/// The advantages of a table, by recipe and rollout.
fn advantages(place: &Place, table: &str) -> BTreeMap<(String, String), Vec<f64>> {
    let rows = place.query(&format!("select recipe, rollout_id, token_advantages from {table}"));
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let numbers = |value: &Value| {
        value.as_array().expect("a list").iter().map(|x| x.as_f64().expect("a number")).collect()
    };
    rows.iter()
        .map(|row| ((text(&row["recipe"]), text(&row["rollout_id"])), numbers(&row["token_advantages"])))
        .collect()
}

fn is_near(got: &[f64], want: &[f64]) -> bool {
    got.len() == want.len() && got.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-6)
}

#[test]
fn every_format_goes_in_and_out() {
    let place = Place::new();
    place.write_lines("rows.jsonl", &rollouts());
    for file in ["rows.parquet", "rows.arrow"] {
        place.does(&["import", "jsonl", "rows.jsonl", "--to", file]);
    }
    let mut all = Vec::new();
    for from in ["rows.jsonl", "rows.parquet", "rows.arrow"] {
        for to in ["out.parquet", "out.jsonl", "out.arrow"] {
            let said = place.does(&["assign", "--recipe", "dr_grpo", "--from", from, "--to", to]);
            assert!(said.contains("7 rollouts in 3 groups, 7 rows written"), "{said}");
            assert_eq!(from == "rows.parquet", !said.contains("temporary Parquet file"), "{said}");
            all.push(match to {
                "out.parquet" => advantages(&place, "'out.parquet'"),
                "out.jsonl" => {
                    let lines = std::fs::read_to_string(place.path(to)).expect("a file");
                    assert_eq!(lines.lines().count(), 7);
                    std::fs::rename(place.path(to), place.path("out.json")).expect("a file");
                    advantages(&place, "'out.json'")
                }
                _ => advantages(&place, "'out.arrow'"),
            });
        }
    }
    assert!(
        is_near(&all[0][&("dr_grpo".into(), "b0".into())], &[2.0 / 3.0, 0.0, 2.0 / 3.0, 2.0 / 3.0]),
        "{:?}",
        all[0]
    );
    assert!(is_near(&all[0][&("dr_grpo".into(), "c1".into())], &[0.0; 4]));
    for other in &all {
        assert_eq!(other, &all[0]);
    }
}

#[test]
fn several_recipes_take_their_settings() {
    let place = Place::new();
    place.write_lines("rows.jsonl", &rollouts());
    let arguments = [
        "assign",
        "--recipe",
        "grpo,rloo",
        "--from",
        "rows.jsonl",
        "--to",
        "credit",
        "--set",
        "eps=0.5",
        "--set",
        "grpo.ddof=0",
    ];
    let said = place.does(&arguments);
    assert!(said.contains("14 rows written to dataset credit_advantages"), "{said}");
    assert!(said.contains("grpo: 7 of 7") && said.contains("rloo: 7 of 7"), "{said}");
    let got = advantages(&place, "credit_advantages");
    assert!(is_near(&got[&("grpo".into(), "a0".into())], &[0.5, 0.0, 0.5, 0.5]), "0.5 / (0.5 + 0.5)");
    assert!(is_near(&got[&("rloo".into(), "b1".into())], &[-0.5, 0.0, -0.5, -0.5]), "0 - 1/2");
    let rows = place.query("select distinct recipe, parameters from credit_advantages order by recipe");
    let parameters: Vec<Value> = rows
        .iter()
        .map(|row| serde_json::from_str(row["parameters"].as_str().expect("a text")).expect("JSON"))
        .collect();
    assert_eq!((&parameters[0]["eps"], &parameters[0]["ddof"]), (&json!(0.5), &json!(0)));
    assert_eq!((&parameters[1]["eps"], &parameters[1]["ddof"]), (&json!(0.5), &json!(1)));
}

#[test]
fn an_input_is_bound_to_another_column() {
    let place = Place::new();
    let mut rows = rollouts();
    for (index, row) in rows.iter_mut().enumerate() {
        row["judged"] = json!(index as f64);
    }
    place.write_lines("rows.jsonl", &rows);
    place.does(&[
        "assign",
        "--recipe",
        "dr_grpo",
        "--set",
        "reward=judged",
        "--from",
        "rows.jsonl",
        "--to",
        "out.parquet",
    ]);
    let got = advantages(&place, "'out.parquet'");
    assert!(is_near(&got[&("dr_grpo".into(), "c1".into())], &[0.5, 0.0, 0.5, 0.5]), "{got:?}");
}

#[test]
fn missing_columns_are_named_with_what_provides_them() {
    let place = Place::new();
    place.write_lines("rows.jsonl", &rollouts());
    place.does(&["import", "jsonl", "rows.jsonl", "--to", "rows"]);
    for from in ["rows.jsonl", "rows"] {
        for (recipe, column, provider) in [
            ("gae", "token_values", "critic"),
            ("remax", "reward_baseline", "greedy"),
            ("gigpo", "step_rewards", "importer"),
        ] {
            let arguments = ["assign", "--recipe", recipe, "--from", from, "--to", "refused"];
            place.refuses(
                1,
                &arguments,
                &[&format!("error: {recipe}: the data has no column `{column}`"), "hint: ", provider],
            );
        }
    }
    assert!(!place.path("meed-data/refused_advantages").exists(), "a refused run writes nothing");
}

#[test]
fn a_run_that_is_done_says_so_and_a_new_one_appends() {
    let place = Place::new();
    place.write_lines("rows.jsonl", &rollouts());
    place.does(&["import", "jsonl", "rows.jsonl", "--to", "rows"]);
    let arguments = ["assign", "--recipe", "grpo", "--from", "rows", "--to", "credit"];
    let count = || place.query("select count(*) as n from credit_advantages")[0]["n"].clone();
    assert!(place.does(&arguments).contains("7 rows written"));
    let again = place.does(&arguments);
    assert!(again.contains("nothing to do"), "{again}");
    // Other threads, the same run; other parameters, another one.
    assert!(place.does(&[&arguments[..], &["--workers", "3"]].concat()).contains("nothing to do"));
    assert_eq!(count(), 7);
    assert!(place.does(&[&arguments[..], &["--new-run"]].concat()).contains("7 rows written"));
    assert_eq!(count(), 14);
    assert!(place.does(&[&arguments[..], &["--set", "eps=1e-3"]].concat()).contains("7 rows written"));
    assert_eq!(count(), 21);
    place.does(&["import", "jsonl", "rows.jsonl", "--to", "rows", "--iteration", "1"]);
    assert!(place.does(&arguments).contains("14 rows written"), "a new version is a new source");
}

#[test]
fn unclustered_rows_are_sorted_first_and_the_cost_is_told() {
    let place = Place::new();
    let mut rows = rollouts();
    place.write_lines("clustered.jsonl", &rows);
    rows.swap(0, 4);
    rows.swap(2, 6);
    place.write_lines("mixed.jsonl", &rows);
    place.does(&["import", "jsonl", "clustered.jsonl", "--to", "clustered.parquet"]);
    for file in ["clustered.parquet", "clustered.jsonl"] {
        let said = place.does(&["assign", "--recipe", "grpo,rloo", "--from", file, "--to", "want.parquet"]);
        assert!(!said.contains("sort"), "{said}");
    }
    let said =
        place.does(&["assign", "--recipe", "grpo,rloo", "--from", "mixed.jsonl", "--to", "got.parquet"]);
    assert!(
        said.contains("mixed.jsonl is not clustered")
            && said.contains("sorted 7 rows in")
            && said.contains("0 bytes spilled"),
        "{said}"
    );
    assert_eq!(advantages(&place, "'want.parquet'"), advantages(&place, "'got.parquet'"));
    // An import puts groups together, so that no later command has to.
    assert!(place.does(&["import", "jsonl", "mixed.jsonl", "--to", "mixed"]).contains("sorted 7 rows"));
    assert!(
        !place
            .does(&["assign", "--recipe", "grpo,rloo", "--from", "mixed", "--to", "credit"])
            .contains("sort")
    );
    assert_eq!(advantages(&place, "'want.parquet'"), advantages(&place, "credit_advantages"));
}

#[test]
fn rows_without_credit_say_why() {
    let place = Place::new();
    let mut rows = rollouts();
    rows.push(rollout("c", "c2", Value::Null));
    rows.push(json!({"group_id": "d", "rollout_id": "d0", "status": "complete", "reward": 1.0, "token_ids": [5], "token_mask": [false]}));
    place.write_lines("rows.jsonl", &rows);
    let said = place.does(&["assign", "--recipe", "grpo", "--from", "rows.jsonl", "--to", "credit"]);
    assert!(
        said.contains(
            "grpo: 7 of 9 rollouts in the loss; left out: no trainable token (1), reward is null (1)"
        ),
        "{said}"
    );
    let left = place.query(
        "select rollout_id, in_loss, reason from credit_advantages where reason is not null order by 1",
    );
    assert_eq!(left[0], json!({"rollout_id": "c2", "in_loss": false, "reason": "reward is null"}));
    assert_eq!(left.len(), 2);
    place.write_lines("single.jsonl", &[rollout("a", "a0", json!(1.0)), rollout("b", "b0", json!(0.0))]);
    let said = place.does(&["assign", "--recipe", "grpo", "--from", "single.jsonl", "--to", "out.parquet"]);
    assert!(said.contains("warning: grpo: all 2 groups are without signal"), "{said}");
    assert_eq!(
        place.does(&["-q", "assign", "--recipe", "grpo", "--from", "single.jsonl", "--to", "out.parquet"]),
        ""
    );
}

#[test]
fn two_processes_give_the_rows_of_one() {
    let place = Place::new();
    place.write_lines("rows.jsonl", &rollouts());
    place.does(&["import", "jsonl", "rows.jsonl", "--to", "rows"]);
    place.does(&["assign", "--recipe", "grpo,reinforce_pp", "--from", "rows", "--to", "one"]);
    let free = || TcpListener::bind("127.0.0.1:0").expect("a port");
    let (a, b) = (free(), free());
    let port = |listener: &TcpListener| listener.local_addr().expect("an address").port();
    let hosts = format!("127.0.0.1:{}\n127.0.0.1:{}\n", port(&a), port(&b));
    std::fs::write(place.path("hosts"), hosts).expect("a file");
    drop((a, b));
    let spawn = |process: &str| {
        let arguments = [
            "assign",
            "--recipe",
            "grpo,reinforce_pp",
            "--from",
            "rows",
            "--to",
            "two",
            "--workers",
            "2",
            "--",
            "-n",
            "2",
            "-p",
            process,
            "-h",
            "hosts",
        ];
        let mut command = place.command(&arguments);
        command
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("the program starts")
    };
    let (first, second) = (spawn("0"), spawn("1"));
    let [first, second] =
        [first, second].map(|child| Ran::of(child.wait_with_output().expect("the program ends")));
    assert_eq!((first.status, second.status), (Some(0), Some(0)), "{} {}", first.stderr, second.stderr);
    assert!(first.stderr.contains("7 rollouts in 3 groups, 14 rows written"), "{}", first.stderr);
    assert_eq!(second.stderr, "", "only the first process reports");
    assert_eq!(advantages(&place, "one_advantages"), advantages(&place, "two_advantages"));
}

#[test]
fn the_tree_of_a_recipe_is_written_beside_its_advantages() {
    let place = Place::new();
    place.write_lines("rows.jsonl", &rollouts());
    place.does(&["import", "jsonl", "rows.jsonl", "--to", "rows"]);
    let assign = ["assign", "--recipe", "tempo,grpo", "--from", "rows", "--to", "credit"];
    let said = place.does(&assign);
    assert!(said.contains("14 rows written to dataset credit_advantages"), "{said}");
    assert!(said.contains("3 nodes written to dataset credit_nodes"), "{said}");
    // All rollouts of a group have the same tokens.
    let nodes =
        "select group_id, node_id, parent_id, depth, token_end, visits, recipe from credit_nodes order by 1";
    let node = |group, visits| {
        json!({"group_id": group, "node_id": 0, "parent_id": null, "depth": 1, "token_end": 4,
            "visits": visits, "recipe": "tempo"})
    };
    assert_eq!(place.query(nodes), [node("a", 2), node("b", 3), node("c", 2)]);
    assert!(place.does(&assign).contains("nothing to do"));
    assert_eq!(place.query(nodes).len(), 3);

    let said = place.does(&["assign", "--recipe", "tempo", "--from", "rows", "--to", "out.parquet"]);
    assert!(said.contains("3 nodes written to out_nodes.parquet"), "{said}");
    assert_eq!(place.query("select count(*) as n from 'out_nodes.parquet'"), [json!({"n": 3})]);
    place.does(&["assign", "--recipe", "grpo", "--from", "rows", "--to", "plain.parquet"]);
    assert!(!place.path("plain_nodes.parquet").exists(), "a recipe without a tree writes no nodes");
    place.does(&["import", "jsonl", "rows.jsonl", "--to", "x_nodes.parquet"]);
    let over = ["assign", "--recipe", "tempo", "--from", "x_nodes.parquet", "--to", "x.parquet"];
    place.refuses(2, &over, &["x_nodes.parquet is both read and written"]);
}

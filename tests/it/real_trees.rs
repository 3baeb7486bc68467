//! Search trees and graded turns as a person runs them: import, assign, and what the tables hold.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::real_data;

/// A directory with a catalog in which the program runs.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Place(TempDir::new().expect("a temporary folder"))
    }

    /// What the program says.
    fn does(&self, arguments: &[&str]) -> String {
        let output = self.meed(arguments);
        assert!(output.stdout.is_empty(), "stdout carries data only");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    fn query(&self, query: &str) -> Vec<Value> {
        let output = self.meed(&["sql", query, "--format", "json"]);
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        lines.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }

    fn meed(&self, arguments: &[&str]) -> std::process::Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_meed"));
        let command = command.args(arguments).current_dir(self.0.path()).env_remove("MEED_CATALOG");
        let output = command.output().expect("the program runs");
        assert!(output.status.success(), "meed {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn raw(path: &PathBuf) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("a readable file")).expect("JSON")
}

/// Assigns by these recipes and checks that every rollout has a row of each.
fn assign(place: &Place, recipes: &[&str], settings: &[&str], from: &str, rollouts: u64) -> String {
    let (to, recipes_text) = (format!("{from}_credit"), recipes.join(","));
    let mut arguments = vec!["assign", "--recipe", &recipes_text, "--from", from, "--to", &to];
    arguments.extend(settings.iter().flat_map(|setting| ["--set", setting]));
    let said = place.does(&arguments);
    let rows = place.query(&format!(
        "select recipe, count(*) as n, count(distinct rollout_id) as d from {to}_advantages group by recipe"
    ));
    assert_eq!(rows.len(), recipes.len());
    for row in rows {
        assert_eq!((&row["n"], &row["d"]), (&json!(rollouts), &json!(rollouts)), "{row}");
    }
    said
}

#[test]
fn trees_of_thoughts() {
    let Some(file) = real_data("tot_game24_tree.json") else {
        return;
    };
    let place = Place::new();
    let import = ["import", "tot", &text(&file), "--to", "game24"];
    let said = place.does(&import);
    assert!(said.contains("500 rows imported to dataset game24"), "{said}");
    assert!(said.contains("8412 nodes written to dataset game24_nodes"), "{said}");
    assert!(place.does(&import).contains("nothing to do"));
    let log = raw(&file);
    let levels = |task: &Value| task["steps"].as_array().expect("levels").clone();
    let mut expected = Vec::new();
    for depth in 1..=4 {
        let (mut kept, mut dropped) = ((0, 0.0), (0, 0.0));
        for task in log.as_array().expect("tasks") {
            let level = &levels(task)[depth - 1];
            let selected = level["select_new_ys"].as_array().expect("an array").len();
            kept.0 += selected;
            dropped.0 += level["new_ys"].as_array().expect("an array").len() - selected;
            // The search keeps those of the highest value.
            let mut values: Vec<f64> =
                level["values"].as_array().expect("an array").iter().filter_map(Value::as_f64).collect();
            values.sort_by(|a, b| b.total_cmp(a));
            kept.1 += values[..selected].iter().sum::<f64>();
            dropped.1 += values[selected..].iter().sum::<f64>();
        }
        expected.push((depth, "dropped", dropped));
        expected.push((depth, "kept", kept));
    }
    let rows = place.query(
        "select depth, kind, count(*) as n, sum(value) as worth from game24_nodes \
         group by depth, kind order by depth, kind",
    );
    assert_eq!(rows.len(), expected.len());
    for (row, (depth, kind, (count, worth))) in rows.iter().zip(expected) {
        assert_eq!((&row["depth"], &row["kind"], &row["n"]), (&json!(depth), &json!(kind), &json!(count)));
        assert!((row["worth"].as_f64().expect("a number") - worth).abs() < 1e-6, "{row}, {worth}");
    }
    let solved = place.query("select sum(reward) as solved, count(reward) as judged from game24_nodes");
    assert_eq!(solved, [json!({"solved": 119.0, "judged": 500})]);
    // Every step is a node of its group, and rollouts pass kept nodes only.
    let steps = place.query(
        "with steps as (select group_id, unnest(step_nodes) as node_id from game24) \
         select kind, count(*) as n from steps join game24_nodes using (group_id, node_id) group by kind",
    );
    assert_eq!(steps, [json!({"kind": "kept", "n": 2000})]);

    let recipes = ["tempo", "treerl", "treerpo", "treeps_rag", "carl", "salt", "gigpo"];
    let said = assign(&place, &recipes, &[], "game24", 500);
    let built = place.query(
        "select recipe, count(*) as n, count(value) as v from game24_credit_nodes group by recipe order by recipe",
    );
    let passed = "select count(distinct (group_id, node_id)) as n \
                  from (select group_id, unnest(step_nodes) as node_id from game24)";
    let passed = &place.query(passed)[0]["n"];
    for (row, recipe) in built.iter().zip(["carl", "tempo", "treeps_rag", "treerl", "treerpo"]) {
        assert_eq!((&row["recipe"], &row["v"]), (&json!(recipe), &row["n"]));
        assert_eq!(row["n"] == *passed, recipe != "tempo", "{row}: the tree of steps has {passed} nodes");
    }
    let all: u64 = built.iter().filter_map(|row| row["n"].as_u64()).sum();
    assert!(said.contains(&format!("{all} nodes written to dataset game24_credit_nodes")), "{said}");
    // Every step of the search leads from one state to another, so merged steps are edges of a graph.
    let edges = place.query(
        "select recipe, min(visits) > 0 as v, sum(visits) as n from game24_credit_edges group by recipe",
    );
    assert_eq!(edges.len(), 1);
    assert_eq!((&edges[0]["recipe"], &edges[0]["v"]), (&json!("salt"), &json!(true)));
    let visits = place.query(
        "select min(visits) as least, max(visits) as most from \
         (select group_id, sum(visits) as visits from game24_credit_nodes \
          where depth = 1 and recipe = 'tempo' group by group_id)",
    );
    assert_eq!(visits, [json!({"least": 5, "most": 5})], "every rollout begins at one node below the root");
}

#[test]
fn trees_of_tool_calls() {
    let Some(folder) = real_data("toolbench_trees") else {
        return;
    };
    let place = Place::new();
    let said = place.does(&["import", "toolbench", &format!("{}/*.json", text(&folder)), "--to", "tools"]);
    assert!(said.contains("886 nodes written to dataset tools_nodes"), "{said}");
    let (mut nodes, mut wins) = (0, 0);
    for file in std::fs::read_dir(&folder).expect("a folder") {
        let search = raw(&file.expect("a file").path());
        nodes += search["tree"]["size"].as_u64().expect("a size");
        wins += u64::from(search["win"].as_bool().expect("a flag"));
    }
    let counted = place.query(
        "select count(*) as n, sum(reward) as wins, count(distinct group_id) as trees from tools_nodes",
    );
    assert_eq!(counted, [json!({"n": nodes, "wins": wins as f64, "trees": 15})]);
    let statuses = place.query(
        "select status, reward, reward is null = (reward_status is not null) as told, count(*) as n from tools \
         group by 1, 2, 3 order by 1, 2",
    );
    let row = |status, reward: Value, n| json!({"status": status, "reward": reward, "told": true, "n": n});
    assert_eq!(
        statuses,
        [row("complete", json!(0.0), 19), row("complete", json!(1.0), 9), row("truncated", Value::Null, 128)]
    );
    assign(&place, &["tempo", "treerl", "treerpo", "treeps_rag", "carl", "salt"], &[], "tools", 156);
}

#[test]
fn graded_turns_of_two_models() {
    let (Some(first), Some(second)) =
        (real_data("intercode_sql_gpt4.json"), real_data("intercode_sql_gpt35.json"))
    else {
        return;
    };
    let place = Place::new();
    place.does(&["import", "intercode", &text(&first), &text(&second), "--to", "sql_turns"]);
    let mean = |file: &PathBuf| {
        let episodes = raw(file);
        let rewards = episodes.as_object().expect("episodes").values();
        rewards.filter_map(|episode| episode["summary"]["max_reward"].as_f64()).sum::<f64>() / 1034.0
    };
    let rows = place
        .query("select model, count(*) as n, avg(reward) as r from sql_turns group by model order by model");
    assert_eq!((rows.len(), &rows[0]["n"], &rows[1]["n"]), (2, &json!(1034), &json!(1034)));
    for (row, file) in rows.iter().zip([&second, &first]) {
        assert!((row["r"].as_f64().expect("a number") - mean(file)).abs() < 1e-9, "{row}");
    }
    let recipes = ["gigpo", "step_reinforce", "salt", "matchtir", "score_two_attempt", "tarl", "spa_rl"];
    let settings = [
        "matchtir.assignment=given",
        "tarl.turn_scores=turn_rewards",
        "spa_rl.variant=release",
        "spa_rl.step_grounded=step_action_valid",
        "spa_rl.values=none",
    ];
    assign(&place, &recipes, &settings, "sql_turns", 2068);
}

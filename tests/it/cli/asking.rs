//! Commands that only tell: recipes, explain, sql, datasets, history.

use std::process::Stdio;

use arrow::ipc::reader::StreamReader;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use super::{Place, rollouts};

fn filled() -> Place {
    let place = Place::new();
    place.write_lines("rows.jsonl", &rollouts());
    place.does(&["import", "jsonl", "rows.jsonl", "--to", "rows"]);
    place.does(&[
        "assign",
        "--recipe",
        "grpo,rloo",
        "--set",
        "grpo.preset=trl",
        "--from",
        "rows@1",
        "--to",
        "rows",
    ]);
    place
}

#[test]
fn recipes_are_listed_as_text_and_as_json() {
    let place = Place::new();
    let listed = place.tells(&["recipes"]);
    let all: Value = serde_json::from_str(&place.tells(&["recipes", "--json"])).expect("JSON");
    let all = all.as_array().expect("an array");
    assert_eq!(listed.lines().count(), all.len() + 1, "a head and a line each");
    for recipe in all {
        let name = recipe["name"].as_str().expect("a name");
        let fidelity = recipe["fidelity"].as_str().expect("a fidelity");
        let line = listed.lines().find(|line| line.starts_with(&format!("{name} ")));
        assert!(line.is_some_and(|line| line.contains(fidelity)), "{name}");
        assert!(["reference", "equations", "reconstructed"].contains(&fidelity), "{name}: {fidelity}");
        if recipe.get("reach").is_none() {
            is_another_piece(recipe);
            continue;
        }
        for text in ["title", "family", "formula", "citation", "deviations"] {
            assert!(recipe[text].is_string(), "{name}: {text}");
        }
        for parameter in recipe["parameters"].as_array().expect("parameters") {
            assert!(
                parameter["meaning"].is_string() && parameter.get("default").is_some(),
                "{name}: {parameter}"
            );
        }
        for input in recipe["inputs"].as_array().expect("inputs") {
            for text in ["name", "level", "values", "need", "meaning", "provider"] {
                assert!(
                    input[text].as_str().is_some_and(|text| !text.is_empty()),
                    "{name}: {text} of {input}"
                );
            }
        }
        let trained = &recipe["objective"]["name"];
        assert_eq!(trained.is_string(), recipe["kind"] == "advantage", "{name}: {trained}");
        let at = recipe["reach"]["at"].as_str().expect("a reach");
        assert!(["rollout", "group", "iteration", "history"].contains(&at), "{name}: {at}");
    }
    let of = |name: &str| all.iter().find(|recipe| recipe["name"] == name).expect("a recipe");
    assert_eq!(of("reinforce_pp")["reach"], json!({"at": "iteration", "passes": 1}));
    assert_eq!(of("dr_grpo")["objective"], json!({"name": "dr_grpo", "settings": {}}));
    let reward = &of("dr_grpo")["inputs"][0];
    assert_eq!(
        (&reward["name"], &reward["need"], &reward["null_leaves_out"]),
        (&json!("reward"), &json!("required"), &json!(true))
    );
}

/// A method whose piece is no recipe says what the piece is, and where.
fn is_another_piece(method: &Value) {
    let kinds = ["objective", "schedule", "update", "sampling", "metric", "function"];
    assert!(method["kind"].as_str().is_some_and(|kind| kinds.contains(&kind)), "{method}");
    for text in ["title", "citation"] {
        assert!(method[text].as_str().is_some_and(|text| !text.is_empty()), "{text} of {method}");
    }
    let part = &method["parts"][0];
    assert!(
        part["kind"].is_string() && part["name"].is_string() && method["deviations"].is_string(),
        "{method}"
    );
}

/// All methods that are known by name, with kind and fidelity, are in the JSON and in the document.
#[test]
fn every_known_method_is_listed() {
    let all: Value = serde_json::from_str(&Place::new().tells(&["recipes", "--json"])).expect("JSON");
    let all = all.as_array().expect("an array");
    let document = include_str!("../../../docs/recipes.md");
    for name in include_str!("../../../pipelines/tests/methods/names.txt").lines() {
        assert!(all.iter().any(|method| method["name"] == name), "{name} is not in the JSON");
        let linked = format!("| [`{name}`](#{name}) |");
        assert!(document.contains(&linked) || document.contains(&format!("| `{name}` |")), "{name}");
    }
}

#[test]
fn explain_shows_what_a_recipe_is_and_needs() {
    let place = filled();
    let plain = place.tells(&["explain", "grpo", "--set", "eps=0.25"]);
    for part in [
        "A = (r - mean(r)) / (std(r) + eps)",
        "arXiv 2402.03300",
        "fidelity",
        "objective ",
        "ddof",
        "0.25",
        "1e-6",
        "looks at  one group",
        "outcome reward; null where it is not known",
        "a judge: `meed judge`",
        "advantage = ",
        "0.25)",
    ] {
        assert!(plain.contains(part), "{part} is not in {plain}");
    }
    let need = |text: &str, column: &str| {
        let line = text.lines().find(|line| line.starts_with(&format!("{column} "))).map(str::to_owned);
        line.unwrap_or_else(|| panic!("{column} is not in {text}"))
    };
    assert!(need(&plain, "reward").contains("required"), "{plain}");
    assert!(need(&plain, "token_rewards").contains("substitute"), "{plain}");
    for from in ["rows", "rows.jsonl"] {
        let resolved = place.tells(&["explain", "grpo", "--from", from]);
        assert!(resolved.contains("looks at  one group"), "{resolved}");
        assert!(need(&resolved, "reward").contains("has it"), "{resolved}");
        assert!(!need(&resolved, "token_rewards").contains("has it"), "{resolved}");
    }
    for arguments in [&["explain", "reinforce_pp", "--from", "rows"][..], &["explain", "reinforce_pp"]] {
        assert!(place.tells(arguments).contains("looks at  one iteration, in a pass"));
    }
    assert!(place.tells(&["explain", "tempo"]).contains("needs operator prefix_tree"));
    let gigpo = place.tells(&["explain", "gigpo"]);
    assert!(need(&gigpo, "step_states").contains("step ") && gigpo.contains("objective ppo_clip"), "{gigpo}");
    // Another column in the place of an input is explained as that input.
    let bound = place.tells(&["explain", "grpo", "--set", "reward=reward_accuracy"]);
    assert!(need(&bound, "reward_accuracy").contains("outcome reward"), "{bound}");
    // The recipe is explained also where the data lacks a column of it.
    let missing = place.meed(&["explain", "gae", "--from", "rows"]);
    assert_eq!(missing.status, Some(1));
    assert!(
        missing.stdout.contains("gae: ") && missing.stderr.contains("no column `token_values`"),
        "{}",
        missing.stderr
    );
    assert!(need(&missing.stdout, "token_values").contains("required"), "{}", missing.stdout);
}

#[test]
fn sql_writes_every_format() {
    let place = filled();
    let query = "select rollout_id, reward from rows where group_id = 'a' order by 1";
    let sql = |format: &str| place.tells(&["sql", query, "--format", format]);
    assert_eq!(sql("csv"), "rollout_id,reward\na0,1.0\na1,0.0\n");
    assert_eq!(
        sql("json"),
        "{\"rollout_id\":\"a0\",\"reward\":1.0}\n{\"rollout_id\":\"a1\",\"reward\":0.0}\n"
    );
    assert!(sql("table").contains("| a0         | 1.0    |"), "{}", sql("table"));
    assert_eq!(place.tells(&["sql", query]), sql("table"));
    assert_eq!(place.with_stdin(&["sql", "--format", "csv"], query).stdout, sql("csv"));
    let raw = |format: &str| {
        place.command(&["sql", query, "--format", format]).output().expect("the program runs").stdout
    };
    std::fs::write(place.path("result.parquet"), raw("parquet")).expect("a file");
    let parquet = std::fs::File::open(place.path("result.parquet")).expect("a file");
    let parquet = ParquetRecordBatchReaderBuilder::try_new(parquet).expect("Parquet");
    assert_eq!(parquet.metadata().file_metadata().num_rows(), 2);
    let arrow = raw("arrow");
    let arrow = StreamReader::try_new(arrow.as_slice(), None).expect("Arrow IPC");
    assert_eq!(arrow.map(|batch| batch.expect("a batch").num_rows()).sum::<usize>(), 2);
}

#[test]
fn sql_knows_credit_versions_and_files() {
    let place = filled();
    let one = |query: &str| place.query(query).remove(0);
    assert_eq!(one("select count(*) as n from credit('rloo', 'rows') where in_loss"), json!({"n": 7}));
    assert_eq!(one("select count(*) as n from at('rows', 0)"), json!({"n": 0}));
    assert_eq!(one("select count(*) as n from \"rows@1\""), json!({"n": 7}));
    assert_eq!(one("select avg(p) as p from (select pass_at_k(reward > 0, 1) as p from rows group by group_id)")["p"].as_f64().map(|p| (p * 1e6).round()), Some(611_111.0));
    place.does(&["assign", "--recipe", "rloo", "--from", "rows", "--to", "out.parquet"]);
    assert_eq!(one("select count(*) as n from 'out.parquet'"), json!({"n": 7}));
    let listing = place.meed(&["sql"]).stdout;
    assert!(listing.contains("rows_advantages") && listing.contains("pass_at_k(correct, k)"), "{listing}");
    place.refuses(2, &["sql", "selec 1"], &["not SQL"]);
    place.refuses(2, &["sql", "select * from rosw"], &["no dataset `rosw`", "rows"]);
    place.refuses(2, &["sql", "select rewad from rows"], &["rewad", "did you mean reward"]);
    place.refuses(2, &["sql", "select * from credit('grop', 'rows')"], &["no recipe is called `grop`"]);
    place.refuses(1, &["sql", "select * from credit('gae', 'rows')"], &["token_values"]);
}

#[test]
fn history_walks_back_to_what_made_the_rows() {
    let place = filled();
    let text = place.tells(&["history", "rows"]);
    for part in [
        "rows@1",
        "7 rows",
        "meed import jsonl rows.jsonl --to rows",
        "rows_advantages@1",
        "14 rows",
        "--recipe grpo,rloo",
        "preset=\"trl\"",
        "rows@1 (",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let all: Value = serde_json::from_str(&place.tells(&["history", "rows", "--json"])).expect("JSON");
    let commits = all.as_array().expect("an array");
    let written = |dataset: &str| {
        commits.iter().find(|commit| commit["dataset"] == dataset && commit["rows"] != 0).expect("a commit")
    };
    let lineage = &written("rows_advantages")["lineage"];
    assert_eq!(lineage["recipes"], json!(["grpo", "rloo"]));
    assert_eq!(
        (&lineage["inputs"][0]["uri"], &lineage["inputs"][0]["version"]),
        (&json!("rows@1"), &json!(1))
    );
    assert_eq!(
        (&lineage["parameters"]["grpo"]["preset"], &lineage["parameters"]["rloo"]["preset"]),
        (&json!("trl"), &Value::Null)
    );
    assert_eq!(lineage["run"].as_str().map(str::len), Some(32));
    assert_eq!(lineage["code_version"], env!("CARGO_PKG_VERSION"));
    let imported = &written("rows")["lineage"];
    assert!(
        imported["inputs"][0]["uri"]
            .as_str()
            .is_some_and(|uri| uri.ends_with("/rows.jsonl") && uri.starts_with('/')),
        "{imported}"
    );
    assert_eq!(imported["parameters"]["format"], "jsonl");
    let old: Value = serde_json::from_str(&place.tells(&["history", "rows@0", "--json"])).expect("JSON");
    assert_eq!(old.as_array().map(Vec::len), Some(1));
    let listed = place.tells(&["datasets"]);
    assert!(
        listed.contains("| rows_advantages | advantages |")
            && listed.contains("| rows            | rollouts   |"),
        "{listed}"
    );
}

#[test]
fn a_reader_that_has_enough_is_no_failure() {
    let place = filled();
    let mut child = place
        .command(&["sql", "select * from generate_series(1, 300000)", "--format", "csv"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("the program ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

//! `--expr`: a formula on the command line in place of a recipe, or beside one.

use serde_json::{Value, json};

use super::{Place, rollouts};

const CENTRED: &str = "advantage = reward - mean(reward, by(group))";

fn filled() -> Place {
    let place = Place::new();
    place.write_lines("rows.jsonl", &rollouts());
    place.does(&["import", "jsonl", "rows.jsonl", "--to", "rows"]);
    place
}

/// Tokens of every rollout, in order of rollouts.
fn advantages(place: &Place, table: &str, recipe: &str) -> Vec<Value> {
    let query = format!(
        "select rollout_id, token_advantages as a from {table} where recipe = '{recipe}' order by rollout_id"
    );
    place.query(&query).into_iter().map(|row| row["a"].clone()).collect()
}

#[test]
fn a_formula_is_assigned_beside_recipes() {
    let place = filled();
    let arguments =
        ["assign", "--recipe", "dr_grpo,grpo", "--expr", CENTRED, "--from", "rows", "--to", "credit"];
    let said = place.does(&arguments);
    assert!(said.contains("21 rows written") && said.contains("expr: 7 of 7 rollouts"), "{said}");
    let table = "credit_advantages";
    assert_eq!(advantages(&place, table, "expr"), advantages(&place, table, "dr_grpo"));
    let rows = place.query("select distinct parameters from credit_advantages where recipe = 'expr'");
    let parameters: Value =
        serde_json::from_str(rows[0]["parameters"].as_str().expect("a text")).expect("JSON");
    assert_eq!(parameters, json!({ "program": CENTRED }));
    let commits: Value = serde_json::from_str(&place.tells(&["history", table, "--json"])).expect("JSON");
    let lineage = &commits[0]["lineage"];
    assert_eq!(lineage["recipes"], json!(["dr_grpo", "grpo", "expr"]));
    assert_eq!(lineage["parameters"]["expr"]["program"], CENTRED);

    // The same program is the same run, another one is another.
    let program =
        |text: &'static str| ["assign", "--name", "mine", "--expr", text, "--from", "rows", "--to", "credit"];
    assert!(place.does(&program("advantage = normalize(reward, by(group))")).contains("7 rows written"));
    assert!(place.does(&program("advantage = normalize(reward, by(group))")).contains("nothing to do"));
    assert_eq!(advantages(&place, table, "mine"), advantages(&place, table, "grpo"));
    assert!(place.does(&program("advantage = reward")).contains("7 rows written"));
}

#[test]
fn inputs_of_a_formula_are_bound() {
    let place = Place::new();
    let mut rows = rollouts();
    rows.iter_mut().for_each(|row| row["judged"] = row["reward"].clone());
    rows.iter_mut().for_each(|row| row["reward"] = json!(0.5));
    place.write_lines("rows.jsonl", &rows);
    let arguments = [
        "assign",
        "--expr",
        CENTRED,
        "--set",
        "expr.reward=judged",
        "--from",
        "rows.jsonl",
        "--to",
        "out.parquet",
    ];
    place.does(&arguments);
    assert_eq!(advantages(&place, "'out.parquet'", "expr")[0], json!([0.5, 0.0, 0.5, 0.5]));
    place.refuses(
        2,
        &[&arguments[..], &["--set", "rewad=judged"]].concat(),
        &["no parameter or input `rewad`"],
    );
}

#[test]
fn what_is_explained_can_be_given_back() {
    let place = filled();
    let explained = place.tells(&["explain", "grpo", "--from", "rows"]);
    let (_, rest) = explained.split_once("\ncredit\n").expect("the credit program");
    let program = rest.split("\n\n").next().expect("the credit program");
    place.does(&["assign", "--recipe", "grpo", "--expr", program, "--from", "rows", "--to", "credit"]);
    let table = "credit_advantages";
    assert_eq!(advantages(&place, table, "expr"), advantages(&place, table, "grpo"));

    // Without data nothing is known of the columns, and nothing is guessed.
    let by_label = "advantage = when(label == \"good\", 1, 0)";
    assert!(place.tells(&["explain", "--expr", by_label]).ends_with(&format!("credit\n  {by_label}\n")));
    let text = "centred = leave_one_out(reward, by(group)); advantage = reward - centred";
    let explained = place.tells(&["explain", "--expr", text, "--name", "mine", "--from", "rows"]);
    for part in [
        "mine: credit program of one's own\n",
        "\ncredit\n  centred = mean(reward, by(group), of others)\n  advantage = reward - centred\n",
        "looks at  one group",
        "requires  reward",
    ] {
        assert!(explained.contains(part), "{part} is not in {explained}");
    }
    assert!(!explained.contains("fidelity") && !explained.contains("default"), "{explained}");
}

#[test]
fn formulas_are_compared() {
    let place = filled();
    let ran = place.tells(&[
        "compare",
        "--recipe",
        "dr_grpo",
        "--name",
        "a",
        "--expr",
        CENTRED,
        "--name",
        "b",
        "--expr",
        "advantage = -(reward - mean(reward, by(group)))",
        "--from",
        "rows",
    ]);
    let cells: Vec<Vec<&str>> = ran
        .lines()
        .map(|line| line.split('|').map(str::trim).filter(|cell| !cell.is_empty()).collect())
        .collect();
    let correlation = |a: &str, b: &str| -> f64 {
        let line = cells.iter().find(|cells| cells.first() == Some(&a) && cells.get(1) == Some(&b));
        line.unwrap_or_else(|| panic!("{a} {b} is not in {ran}"))[3].parse().expect("a number")
    };
    assert!((correlation("dr_grpo", "a") - 1.0).abs() < 1e-9, "{ran}");
    assert!((correlation("a", "b") + 1.0).abs() < 1e-9, "{ran}");
}

#[test]
fn mistakes_are_shown_where_they_are() {
    let place = filled();
    let refuses = |text: &str, says: &[&str]| {
        for command in [vec!["assign", "--to", "refused"], vec!["explain"], vec!["compare"]] {
            let arguments = [&command[..], &["--from", "rows", "--expr", text]].concat();
            let ran = place.meed(&arguments);
            assert_eq!(ran.status, Some(2), "{}", ran.stderr);
            for part in says {
                assert!(
                    ran.stderr.contains(part),
                    "meed {arguments:?} does not say `{part}`: {}",
                    ran.stderr
                );
            }
        }
    };
    refuses(
        "advantage = reward - mean(reward)",
        &[
            "error: line 1, column 33: expected `,`, found `)`\n  |\n1 | advantage = reward - mean(reward)\n  |  ",
            "                               ^\n  hint: write it as mean(x, by(...)",
        ],
    );
    refuses(
        "advantage = normalise(reward, by(group))",
        &["no function is called `normalise`", "did you mean normalize?"],
    );
    refuses(
        "base = mean(reward, by(group))\nadvantage = rewrd - base",
        &[
            "line 2, column 13",
            "no column `rewrd`",
            "2 | advantage = rewrd - base\n  |             ^^^^^",
            "did you mean reward?",
        ],
    );
    refuses("returns = reward", &["the program defines no advantage"]);
    assert!(!place.path("meed-data/refused_advantages").exists(), "a refused run writes nothing");

    let assign = |more: &[&'static str]| [&["assign", "--from", "rows", "--to", "refused"], more].concat();
    place.refuses(2, &assign(&[]), &["--recipe", "--expr"]);
    place.refuses(2, &assign(&["--recipe", "grpo", "--name", "mine"]), &["--expr"]);
    place.refuses(
        2,
        &assign(&["--expr", CENTRED, "--name", "grpo"]),
        &["`grpo` is the name of a recipe of meed"],
    );
    place.refuses(2, &assign(&["--expr", CENTRED, "--expr", CENTRED]), &["give each --expr a --name"]);
    let twice = ["--expr", CENTRED, "--name", "a", "--expr", CENTRED, "--name", "a"];
    place.refuses(2, &assign(&twice), &["recipe a is chosen twice"]);
    place.refuses(2, &["explain", "grpo", "--expr", CENTRED], &["cannot be used with"]);
    place.refuses(2, &["explain"], &["--expr"]);
}

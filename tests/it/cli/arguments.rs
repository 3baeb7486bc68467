//! Help, and what is refused before anything runs.

use super::{Place, rollouts};

#[test]
fn help_lists_what_is_built_and_nothing_else() {
    let place = Place::new();
    let help = place.tells(&["--help"]);
    let commands =
        ["import", "assign", "judge", "recipes", "explain", "train", "compare", "sql", "datasets", "history"];
    for command in commands {
        assert!(
            help.lines().any(|line| line.trim_start().starts_with(command)),
            "{command} is not in: {help}"
        );
        assert!(place.tells(&[command, "--help"]).contains("Usage: meed"), "{command}");
    }
    for unbuilt in ["serve", "device"] {
        assert!(!help.lines().any(|line| line.trim_start().starts_with(unbuilt)), "{unbuilt} is in: {help}");
    }
    let formats = place.tells(&["import", "--help"]);
    assert!(
        ["gsm8k", "tau-bench", "jsonl", "parquet"].iter().all(|format| formats.contains(format)),
        "{formats}"
    );
    assert!(place.tells(&["--version"]).starts_with("meed "));
    assert_eq!(place.meed(&[]).status, Some(2), "no command is no success");
}

#[test]
fn unknown_names_are_usage_errors_with_near_names() {
    let place = Place::new();
    place.write_lines("rows.jsonl", &rollouts());
    let assign = |recipe: &'static str| {
        vec!["assign", "--from", "rows.jsonl", "--to", "out.parquet", "--recipe", recipe]
    };
    let set = |recipe, setting| [assign(recipe), vec!["--set", setting]].concat();
    place.refuses(2, &assign("grop"), &["error: no recipe is called `grop`", "hint: ", "grpo"]);
    place.refuses(2, &set("grpo", "epz=1"), &["no parameter or input `epz`", "did you mean eps"]);
    place.refuses(2, &set("grpo,rloo", "epz=1"), &["`epz` in grpo, rloo", "eps"]);
    place.refuses(2, &set("grpo", "rloo.eps=1"), &["recipe rloo is not among the chosen ones"]);
    place.refuses(2, &set("grpo", "grpo.epz=1"), &["did you mean eps"]);
    place.refuses(2, &set("grpo", "preset=vrl"), &["preset", "vrl", "verl"]);
    place.refuses(2, &set("grpo", "eps"), &["key=value"]);
    place.refuses(2, &set("grpo", "ddof=many"), &["ddof", "many"]);
    place.refuses(2, &assign("grpo,grpo"), &["grpo is chosen twice"]);
    place.refuses(2, &assign("overlong_penalty"), &["gives a reward, not an advantage"]);
    place.refuses(2, &["import", "gsm9k", "rows.jsonl", "--to", "x"], &["gsm9k", "gsm8k"]);
    place.refuses(2, &["explain", "gro"], &["grpo"]);
    place.refuses(2, &["sql", "select 1", "--format", "yaml"], &["yaml", "csv"]);
    place.refuses(2, &["assign", "--recipe", "grpo"], &["--from", "--to"]);
    place.refuses(2, &["serve"], &["serve"]);
    assert!(!place.path("out.parquet").exists());
}

#[test]
fn datasets_and_files_that_do_not_fit_are_refused() {
    let place = Place::new();
    place.write_lines("rows.jsonl", &rollouts());
    place.does(&["import", "jsonl", "rows.jsonl", "--to", "rows"]);
    place.does(&["assign", "--recipe", "grpo", "--from", "rows", "--to", "rows"]);
    let from =
        |from: &'static str, to: &'static str| vec!["assign", "--recipe", "grpo", "--from", from, "--to", to];
    place.refuses(2, &from("rosw", "x"), &["no dataset `rosw`", "did you mean rows"]);
    place.refuses(2, &from("rows@7", "x"), &["no version 7"]);
    place.refuses(2, &from("rows_advantages", "x"), &["holds advantages, not rollouts"]);
    place.refuses(2, &from("rows", "rows@1"), &["cannot be written"]);
    place.refuses(2, &from("rows", "out/x.txt"), &["format", ".parquet"]);
    place.refuses(2, &from("rows.jsonl", "./rows.jsonl"), &["both read and written"]);
    place.refuses(2, &from("no.parquet", "x"), &["no.parquet"]);
    place.refuses(2, &[from("rows", "x"), vec!["--rejects", "bad.jsonl"]].concat(), &["--on-error skip"]);
    place.refuses(2, &[from("rows", "x"), vec!["--workers", "0"]].concat(), &["worker"]);
    place.refuses(2, &[from("rows", "x"), vec!["--", "--nonsense"]].concat(), &["timely", "nonsense"]);
    place.refuses(2, &["history", "rosw"], &["did you mean rows"]);
}

#[test]
fn the_catalog_is_chosen_by_flag_or_environment() {
    let place = Place::new();
    place.write_lines("rows.jsonl", &rollouts());
    place.does(&["--catalog", "one", "import", "jsonl", "rows.jsonl", "--to", "rows"]);
    place.does(&["import", "jsonl", "rows.jsonl", "--to", "rows", "--catalog", "two"]);
    assert!(place.path("one/rows/_delta_log").is_dir() && place.path("two/rows/_delta_log").is_dir());
    assert!(!place.path("meed-data").exists());
    let listed =
        place.command(&["datasets", "--json"]).env("MEED_CATALOG", "two").output().expect("the program runs");
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    assert_eq!((&listed[0]["dataset"], &listed[0]["rows"]), (&"rows".into(), &7.into()));
}

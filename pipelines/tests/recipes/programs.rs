//! Recipes as text: every recipe's program is read back as it was, and programs of one's own are recipes.

use arrow::array::AsArray;
use meed_operators::Error;
use meed_operators::credit::Credit;
use meed_pipelines::presets::PRESETS;
use meed_pipelines::stored::RecipeSettings;
use meed_pipelines::{InMemory, recipes};
use serde_json::{Value, json};

use crate::support::{advantages, given, signal};

#[test]
fn every_recipe_is_read_back_from_its_text() {
    for recipe in recipes() {
        let has_presets = recipe.declared().iter().any(|parameter| parameter.name == "preset");
        let presets = PRESETS.iter().filter(|_| has_presets).map(|preset| Some(preset.name));
        for preset in std::iter::once(None).chain(presets) {
            let settings: Vec<(String, Value)> =
                preset.iter().map(|name| ("preset".to_owned(), json!(name))).collect();
            let credit = recipe.set(&settings).unwrap().1.credit;
            let back = Credit::parse(&credit.to_string())
                .unwrap_or_else(|error| panic!("{} {preset:?}: {error}", recipe.name));
            assert_eq!(back, credit, "{} {preset:?}", recipe.name);
        }
    }
}

fn rollouts() -> Value {
    let rows: Vec<Value> = (0..8)
        .map(|number| {
            json!({
                "iteration": number / 4,
                "group_id": format!("g{}", number % 4 / 2),
                "rollout_id": format!("r{number}"),
                "status": if number == 3 { "truncated" } else { "complete" },
                "reward": f64::from(number * 5 % 7),
                "token_ids": [1, 2, 3],
                "token_mask": [true, false, true],
                "token_entropies": [0.25 * f64::from(number), 0.5, 1.0],
                "token_values": [0.5, 0.25, f64::from(number)],
            })
        })
        .collect();
    json!(rows)
}

fn own(text: &str) -> Result<InMemory, Error> {
    let own = RecipeSettings::program("mine", text)?;
    let rows = rollouts();
    let batch = crate::load::rollouts(rows.as_array().unwrap()).expect("rollouts");
    own.recipe.in_memory(&own.settings, batch)
}

#[test]
fn a_program_gives_what_the_recipe_gives() {
    for (recipe, settings, text) in [
        ("grpo", json!({}), "advantage = normalize(reward, by(group))"),
        ("grpo", json!({"ddof": 0, "eps": 0.5}), "advantage = normalize(reward, by(group), ddof 0, eps 0.5)"),
        ("dr_grpo", json!({}), "base = mean(reward, by(group)); advantage = reward - base"),
    ] {
        let (theirs, own) = (given(recipe, settings, rollouts()), own(text).unwrap());
        for number in 0..8 {
            let id = format!("r{number}");
            assert_eq!(advantages(&own, &id), advantages(&theirs, &id), "{text}");
        }
        let rows = own.rows.unwrap();
        let parameters = rows["parameters"].as_string::<i32>().value(0);
        assert_eq!(serde_json::from_str::<Value>(parameters).unwrap(), json!({ "program": text }));
        assert_eq!(rows["recipe"].as_string::<i32>().value(0), "mine");
    }
    let steps = own("half = reward / 2\nadvantage = half * token_mask").unwrap();
    assert_eq!(signal(&steps, "r1", "half"), [2.5]);
}

/// Blocks of a document that are fenced as ```meed.
fn programs(page: &str) -> Vec<String> {
    let (mut found, mut lines) = (Vec::new(), page.lines());
    while lines.any(|line| line == "```meed") {
        found
            .push(lines.by_ref().take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect());
    }
    found
}

#[test]
fn documented_programs_run() {
    let page = include_str!("../../../docs/expressions.md");
    let programs = programs(page);
    assert!(programs.len() >= 6, "{}", programs.len());
    for text in programs {
        let given = own(&text).unwrap_or_else(|error| panic!("{text}{error}\n{}", error.hint()));
        let rows = given.rows.unwrap();
        let in_loss = rows["in_loss"].as_boolean();
        assert!(in_loss.true_count() > 0, "{text}");
    }
    // The error that the page shows.
    let error = own("advantage = reward - mean(reward)").err().unwrap();
    let shown = format!("error: {error}\n  hint: {}\n", error.hint());
    assert!(page.contains(&shown), "docs/expressions.md does not hold\n{shown}");
}

#[test]
fn the_deepest_programs_run() {
    let nested = format!("advantage = {}reward{}", "abs(".repeat(120), ")".repeat(120));
    let chained = format!("advantage = reward{}", " + mean(reward, by(group))".repeat(120));
    let scopes = format!("advantage = {}reward{}", "max(".repeat(60), ", by(history))".repeat(60));
    for text in [nested, chained, scopes] {
        let given = own(&text).unwrap_or_else(|error| panic!("{error}"));
        assert!(given.rows.unwrap()["in_loss"].as_boolean().true_count() > 0);
    }
}

#[test]
fn columns_that_are_not_there_are_pointed_at() {
    let refused = |text: &str| {
        let error = own(text).err().unwrap();
        assert!(matches!(error, Error::Usage { .. }), "{error:?}");
        (error.to_string(), error.hint().to_owned())
    };
    let (message, hint) = refused("base = mean(reward, by(group))\nadvantage = rewrd - base");
    assert_eq!(
        message,
        "line 2, column 13: mine: the data has no column `rewrd`\n  |\n2 | advantage = rewrd - base\n  |             ^^^^^"
    );
    assert!(hint.starts_with("did you mean reward?"), "{hint}");
    let (_, hint) = refused("half = reward / 2\nadvantage = halve");
    assert!(hint.starts_with("did you mean half?"), "{hint}");
    let (message, _) = refused("advantage = reward * count(segment)");
    assert!(message.starts_with("line 1, column 28: mine: the data has no column `segment_…`"), "{message}");
    // An error of types keeps its kind.
    let error = own("advantage = status + 1").err().unwrap();
    assert!(matches!(error, Error::Expression { .. }), "{error:?}");
}

#[test]
fn names_and_programs_that_do_not_fit_are_refused() {
    let refused = |name: &str, text: &str| RecipeSettings::program(name, text).unwrap_err().to_string();
    let good = "advantage = reward";
    assert_eq!(refused("grpo", good), "`grpo` is the name of a recipe of meed");
    assert_eq!(refused("a.b", good), "`a.b` is no name for a recipe");
    assert_eq!(refused("", good), "`` is no name for a recipe");
    assert_eq!(refused("mine", "returns = reward"), "the program defines no advantage");
    assert!(refused("mine", "advantage = ").starts_with("line 1, column 13: expected"));
    // The text of a program is a parameter like others, and its signals are bound like others.
    let own = RecipeSettings::program("mine", good).unwrap();
    let bound = [own.settings, vec![("reward".to_owned(), json!("score"))]].concat();
    assert_eq!(own.recipe.set(&bound).unwrap().1.credit.reads(), ["score"]);
}

#[test]
fn a_history_of_no_iterations_has_no_value() {
    for scope in ["history[0]", "earlier[0]"] {
        let result = own(&format!("advantage = or_else(mean(reward, by({scope})), -1)")).unwrap();
        assert_eq!(advantages(&result, "r7"), [-1.0, 0.0, -1.0]);
    }
}

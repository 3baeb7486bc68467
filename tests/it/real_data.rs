//! The main job on real rollouts: import, assign every baseline recipe, and check what they promise.

use std::collections::BTreeMap;
use std::process::{Command, Output};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Float32Type;
use meed_catalog::{Catalog, SqlOptions};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::real_data;

struct Workspace {
    folder: TempDir,
}

impl Workspace {
    fn new() -> Self {
        Workspace { folder: TempDir::new().expect("a temporary folder") }
    }

    fn catalog(&self) -> String {
        self.folder.path().join("catalog").display().to_string()
    }

    fn meed(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_meed"))
            .args(["--catalog", &self.catalog()])
            .args(arguments)
            .current_dir(self.folder.path())
            .output()
            .expect("the program runs")
    }

    fn succeed(&self, arguments: &[&str]) {
        let output = self.meed(arguments);
        assert!(output.status.success(), "meed {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn query(&self, query: &str) -> RecordBatch {
        let catalog = Catalog::open(&self.catalog()).expect("a catalog");
        let rows = catalog.sql(query, &SqlOptions::default()).expect("a query");
        arrow::compute::concat_batches(&rows[0].schema(), &rows).expect("one schema")
    }

    /// The recipe must fail with status 1 and name the column and what would provide it.
    fn refuse(&self, from: &str, recipe: &str, column: &str, provider: &str) {
        let output = self.meed(&["assign", "--recipe", recipe, "--from", from, "--to", "refused"]);
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{recipe}: {message}");
        assert!(message.contains(recipe) && message.contains(column), "{recipe}: {message}");
        assert!(message.contains(provider), "{recipe} names no provider `{provider}`: {message}");
        assert!(output.stdout.is_empty(), "stdout carries data only");
    }
}

/// Per recipe and group: the advantage of each rollout (equal on all its trainable tokens) and its
/// reward.
type Groups = BTreeMap<(String, String), Vec<(f64, Option<f64>)>>;

fn groups(workspace: &Workspace, rollouts: &str, advantages: &str) -> Groups {
    let rows = workspace.query(&format!(
        "select a.recipe, a.group_id, a.token_advantages, a.in_loss, r.token_mask, r.reward \
         from {advantages} a join {rollouts} r on a.iteration = r.iteration and a.rollout_id = r.rollout_id"
    ));
    let (recipes, ids) = (rows.column(0).as_string::<i32>(), rows.column(1).as_string::<i32>());
    let (values, masks) = (rows.column(2).as_list::<i32>(), rows.column(4).as_list::<i32>());
    let rewards = rows.column(5).as_primitive::<arrow::datatypes::Float64Type>();
    let mut groups = Groups::new();
    for row in 0..rows.num_rows() {
        let (value, mask) = (values.value(row), masks.value(row));
        let (value, mask) = (value.as_primitive::<Float32Type>(), mask.as_boolean());
        assert_eq!(value.len(), mask.len(), "advantages have the length of token_mask");
        let mut last = 0.0;
        for t in 0..value.len() {
            match mask.value(t) {
                true => last = f64::from(value.value(t)),
                false => assert_eq!(value.value(t), 0.0, "a masked token carries an advantage"),
            }
        }
        let reward = rewards.is_valid(row).then(|| rewards.value(row));
        groups
            .entry((recipes.value(row).to_owned(), ids.value(row).to_owned()))
            .or_default()
            .push((last, reward));
    }
    groups
}

const CENTRED: &[&str] = &["grpo", "dr_grpo", "rloo", "gpg", "max_rl"];
const ZERO_WITHOUT_VARIANCE: &[&str] =
    &["grpo", "dr_grpo", "rloo", "opo", "gpg", "grpo_passk", "max_rl", "tempo"];

fn check_promises(groups: &Groups, recipes: &[&str], group_count: usize, zero_variance: usize) {
    for recipe in recipes {
        let mine: Vec<_> = groups.iter().filter(|((name, _), _)| name == recipe).collect();
        assert_eq!(mine.len(), group_count, "{recipe}: groups");
        let mut constant = 0;
        for ((_, group), members) in mine {
            if CENTRED.contains(recipe) {
                let mean = members.iter().map(|(x, _)| x).sum::<f64>() / members.len() as f64;
                assert!(mean.abs() < 1e-6, "{recipe}, {group}: mean {mean}");
            }
            if members.iter().all(|(_, reward)| *reward == members[0].1) {
                constant += 1;
                if ZERO_WITHOUT_VARIANCE.contains(recipe) {
                    assert!(members.iter().all(|(x, _)| *x == 0.0), "{recipe}, {group}: {members:?}");
                }
                continue;
            }
            let best = members.iter().filter_map(|(_, reward)| *reward).fold(f64::MIN, f64::max);
            let lead = members.iter().filter(|(_, reward)| *reward == Some(best)).count() == 1;
            let signal = members.iter().any(|(x, _)| *x != 0.0);
            assert_eq!(signal, *recipe != "grpo_passk" || lead, "{recipe}, {group}: {members:?}");
        }
        assert_eq!(constant, zero_variance, "{recipe}: groups without variance");
    }
}

const OUTCOME: &[&str] = &[
    "grpo",
    "dr_grpo",
    "rloo",
    "reinforce_pp",
    "reinforce_pp_baseline",
    "opo",
    "gpg",
    "grpo_passk",
    "max_rl",
    "tempo",
];

#[test]
fn gsm8k() {
    let Some(file) = real_data("gsm8k_model_solutions.jsonl") else {
        return;
    };
    let workspace = Workspace::new();
    workspace.succeed(&["import", "gsm8k", &file.display().to_string(), "--to", "gsm8k"]);
    workspace.succeed(&["assign", "--recipe", &OUTCOME.join(","), "--from", "gsm8k", "--to", "credit"]);
    let counts = workspace.query("select recipe, count(*) n, count(distinct rollout_id) d from credit_advantages group by recipe order by recipe");
    assert_eq!(counts.num_rows(), OUTCOME.len());
    let (n, d) = (
        counts.column(1).as_primitive::<arrow::datatypes::Int64Type>(),
        counts.column(2).as_primitive::<arrow::datatypes::Int64Type>(),
    );
    assert!(
        n.values().iter().chain(d.values()).all(|&count| count == 1319 * 4),
        "one row per rollout and recipe"
    );
    let centred: Vec<&str> =
        OUTCOME.iter().copied().filter(|name| !name.starts_with("reinforce_pp")).collect();
    check_promises(&groups(&workspace, "gsm8k", "credit_advantages"), &centred, 1319, 588);
    workspace.refuse("gsm8k", "gae", "token_values", "critic");
    workspace.refuse("gsm8k", "optimal_token_baseline", "token_", "sampl");
    workspace.refuse("gsm8k", "tir_optimal_token_baseline", "token_", "sampl");
    workspace.refuse("gsm8k", "remax", "reward_baseline", "greedy");
    workspace.refuse("gsm8k", "gigpo", "step_", "importer");
}

/// Recipes of outcomes, and then those that read a score of every step.
const COMPARED: &str = "grpo,rloo,reinforce_pp,reinforce_pp_baseline,opo,grpo_passk,max_rl,tempo,\
                        step_reinforce,capo,clip_and_delta,ppr,pure";

/// One command compares them, with step scores that a judge gives on the way.
#[test]
fn gsm8k_compared_with_judged_steps() {
    let Some(file) = real_data("gsm8k_model_solutions.jsonl") else {
        return;
    };
    let workspace = Workspace::new();
    workspace.succeed(&["import", "gsm8k", &file.display().to_string(), "--to", "gsm8k"]);
    let mut arguments = vec!["compare", "--recipe", COMPARED, "--judge", "calculator", "--from", "gsm8k"];
    for setting in [
        "calculator.otherwise=1",
        "step_rewards=step_calculator",
        "capo.step_correct=step_calculator",
        "capo.vote=greedy",
        "values=none",
        "pure.kl_coef=0",
    ] {
        arguments.extend(["--set", setting]);
    }
    arguments.extend(["--format", "json", "--out", "report.html"]);
    let output = workspace.meed(&arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let compared: Value = serde_json::from_slice(&output.stdout).expect("a JSON document");
    let recipes: Vec<&str> = COMPARED.split(',').collect();
    assert_eq!((&compared["rollouts"], &compared["groups"]), (&json!(1319 * 4), &json!(1319)));
    assert_eq!(compared["judges"][0]["scores"], compared["elements"]["step"], "a score for every step");
    assert_eq!(compared["pairs"].as_array().map(Vec::len), Some(recipes.len() * (recipes.len() - 1) / 2));
    let number = |of: &Value| of.as_f64().unwrap_or(f64::NAN);
    const UNEVEN: &[&str] = &["tempo", "step_reinforce", "capo", "clip_and_delta", "ppr", "pure"];
    for (recipe, name) in compared["recipes"].as_array().expect("an array").iter().zip(&recipes) {
        assert_eq!((&recipe["recipe"], &recipe["in_loss"]), (&json!(name), &json!(5276)));
        assert!(number(&recipe["mean_absolute"]["token"]) > 0.0, "{recipe}");
        assert!((0.1..=1.0).contains(&number(&recipe["concentration"])), "{recipe}");
        assert_eq!(number(&recipe["uneven"]) > 0.0, UNEVEN.contains(name), "{recipe}");
        if ZERO_WITHOUT_VARIANCE.contains(name) {
            assert!(number(&recipe["zero_signal"]) >= 588.0 / 1319.0, "{recipe}");
        }
    }
    let spearman = |recipe: &str, other: &str, level: &str| {
        let pairs = compared["pairs"].as_array().expect("an array").iter();
        let mut found = pairs.filter(|pair| pair["recipe"] == recipe && pair["other"] == other);
        number(&found.next().expect("a pair")[level]["spearman"])
    };
    // All groups have four rollouts, so a baseline without oneself changes the unit only.
    assert!(spearman("grpo", "rloo", "token") > 0.999);
    // Nearly all annotated calculations are right, so what is left of a rollout tells little of its outcome.
    assert!(spearman("grpo", "step_reinforce", "step").abs() < 0.2);
    assert!(spearman("grpo", "pure", "step") < 0.9);
    let page = std::fs::read_to_string(workspace.folder.path().join("report.html")).expect("a page");
    assert_eq!(page.matches("<article").count(), 5);
    assert_eq!(page.matches("<tr data-recipe").count(), recipes.len());
    assert!(page.contains("step_calculator") && page.contains("How 13 recipes credit gsm8k@1"));
}

#[test]
fn tau_bench() {
    let Some(file) = real_data("tau_bench_airline_gpt4o.json") else {
        return;
    };
    let workspace = Workspace::new();
    let recipes: Vec<&str> = OUTCOME.iter().copied().chain(["gigpo", "matchtir"]).collect();
    workspace.succeed(&["import", "tau-bench", &file.display().to_string(), "--to", "airline"]);
    workspace.succeed(&["assign", "--recipe", &recipes.join(","), "--from", "airline", "--to", "credit"]);
    let counts = workspace.query("select recipe, count(*) n from credit_advantages group by recipe");
    assert_eq!(counts.num_rows(), recipes.len());
    assert!(
        counts
            .column(1)
            .as_primitive::<arrow::datatypes::Int64Type>()
            .values()
            .iter()
            .all(|&count| count == 200)
    );
    let all = groups(&workspace, "airline", "credit_advantages");
    let rewards: Vec<_> = all.iter().filter(|((recipe, _), _)| recipe == "grpo").collect();
    let constant = rewards
        .iter()
        .filter(|(_, members)| members.iter().all(|(_, reward)| *reward == members[0].1))
        .count();
    assert!(constant > 0 && constant < 50, "{constant} groups without variance");
    let centred: Vec<&str> =
        OUTCOME.iter().copied().filter(|name| !name.starts_with("reinforce_pp")).collect();
    check_promises(&all, &centred, 50, constant);
    let steps = workspace
        .query("select sum(array_length(step_advantages)) from credit_advantages where recipe = 'gigpo'");
    let steps = arrow::compute::cast(steps.column(0), &arrow::datatypes::DataType::Int64).expect("a number");
    let steps = steps.as_primitive::<arrow::datatypes::Int64Type>().value(0);
    assert_eq!(steps, 4998, "gigpo has one advantage per step of the 200 trials");
    workspace.refuse("airline", "gae", "token_values", "critic");
    workspace.refuse("airline", "remax", "reward_baseline", "greedy");
}

//! Golden cases of the family `outcome`.

use std::collections::BTreeMap;

use meed_operators::sample::{ScoredSample, ThresholdSearch, balance_by_threshold, search_threshold};
use meed_pipelines::{InMemory, find};
use serde_json::{Map, Value, json};

use super::{Family, by_id, close};
use crate::case::Case;
use crate::load;

pub struct Outcome;

type Compared = Result<usize, String>;

impl Family for Outcome {
    fn rollouts(&self, case: &Case, rollouts: Vec<Value>) -> Result<Vec<Value>, String> {
        if case.recipe == "brpo" { rollouts.into_iter().map(flat_answers).collect() } else { Ok(rollouts) }
    }

    fn key(&self, case: &Case, key: &str, wanted: &Value, given: &InMemory) -> Option<Compared> {
        match (case.recipe.as_str(), key) {
            ("nsr" | "guide", "kept_rollouts") => Some(kept(wanted, given)),
            ("guide", "reroll_groups") => Some(rerolled(wanted, given)),
            ("adactrl", "group_labels") => Some(labels(wanted, given)),
            ("b_star", "selected_outputs") => Some(selected(case, wanted, given)),
            ("b_star", "balance_score") if wanted.is_null() => Some(undefined(given)),
            _ => None,
        }
    }

    fn run(&self, case: &Case) -> Option<Compared> {
        match case.recipe.as_str() {
            "rlvr_schedule" if case.params.get("piece") == Some(&json!("magnitude")) => {
                Some(magnitudes(case))
            }
            "b_star" if case.params.get("search") == Some(&json!(true)) => Some(search(case)),
            _ => None,
        }
    }
}

/// The answers of a rollout, a list of objects, as columns; a list `budgets` has no level in its name.
fn flat_answers(mut rollout: Value) -> Result<Value, String> {
    let row = rollout.as_object_mut().ok_or("a rollout is not an object")?;
    let answers = row.remove("answers").ok_or("has no answers")?;
    let field = |name: &str| -> Value {
        answers.as_array().into_iter().flatten().map(|answer| answer[name].clone()).collect()
    };
    for (column, name) in [("answer_starts", "start"), ("answer_ends", "end"), ("answer_scores", "score")] {
        row.insert(column.into(), field(name));
    }
    let budgets = row.remove("budgets").ok_or("has no budgets")?;
    row.insert("budget_tokens".into(), budgets);
    Ok(rollout)
}

/// A signal of rollouts, by id.
fn of_rollouts(given: &InMemory, name: &str) -> Result<BTreeMap<String, f64>, String> {
    let column = given.evaluated.signal(name).ok_or_else(|| format!("has no signal {name}"))?;
    let truth = |row: usize| match &column.values {
        meed_operators::credit::Values::Boolean(truth) => Some(f64::from(u8::from(truth[row]))),
        _ => column.number(row),
    };
    let value = |row: usize| (column.is_valid(row)).then(|| truth(row)).flatten();
    let rows =
        (0..given.unit.rows()).filter_map(|row| Some((given.unit.rollout_id(row).to_owned(), value(row)?)));
    Ok(rows.collect())
}

/// The rollouts whose weight is not 0; without weights all are.
fn kept(wanted: &Value, given: &InMemory) -> Compared {
    let kept: Vec<String> = match given.evaluated.signal("weights") {
        Some(_) => of_rollouts(given, "weights")?
            .into_iter()
            .filter(|(_, weight)| *weight != 0.0)
            .map(|(id, _)| id)
            .collect(),
        None => (0..given.unit.rows()).map(|row| given.unit.rollout_id(row).to_owned()).collect(),
    };
    let mut wanted: Vec<String> =
        wanted.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    wanted.sort();
    if kept == wanted { Ok(kept.len()) } else { Err(format!("kept {kept:?}, expected {wanted:?}")) }
}

/// The groups that are to be sampled again.
fn rerolled(wanted: &Value, given: &InMemory) -> Compared {
    let again = of_rollouts(given, "reroll")?;
    let of = |row: usize| (given.unit.group_id(row), given.unit.rollout_id(row));
    let groups = (0..given.unit.rows()).map(of).filter(|(_, rollout)| again[*rollout] == 1.0);
    let groups: std::collections::BTreeSet<&str> = groups.map(|(group, _)| group).collect();
    let wanted: std::collections::BTreeSet<&str> =
        wanted.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if groups == wanted { Ok(groups.len()) } else { Err(format!("again {groups:?}, expected {wanted:?}")) }
}

/// The label of each group.
fn labels(wanted: &Value, given: &InMemory) -> Compared {
    let easy = of_rollouts(given, "group_easy")?;
    for row in 0..given.unit.rows() {
        let (group, rollout) = (given.unit.group_id(row), given.unit.rollout_id(row));
        let label = if easy[rollout] == 1.0 { "easy" } else { "hard" };
        if by_id(wanted)?.get(group) != Some(&json!(label)) {
            return Err(format!("{group} is {label}"));
        }
    }
    Ok(given.unit.rows())
}

/// The selected outputs of each prompt in their order, the reference solution among them.
fn selected(case: &Case, wanted: &Value, given: &InMemory) -> Compared {
    let signal = |name: &str| of_rollouts(given, name);
    let (places, chosen, reference) = (signal("place")?, signal("selected")?, signal("reference_selected")?);
    let scores = signal("score")?;
    let mut outputs: BTreeMap<String, Vec<(f64, String)>> = BTreeMap::new();
    for row in &case.rollouts {
        let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let (group, rollout) = (text("group_id"), text("rollout_id"));
        let of_group = outputs.entry(group).or_default();
        if chosen[&rollout] == 1.0 {
            of_group.push((places[&rollout], text("output_id")));
        }
        if reference[&rollout] == 1.0 && !of_group.iter().any(|(_, output)| output == "reference") {
            let before = case
                .rollouts
                .iter()
                .filter(|other| other["group_id"] == row["group_id"])
                .filter_map(|other| places.get(other["rollout_id"].as_str()?).map(|_| &other["rollout_id"]))
                .filter(|id| id.as_str().is_some_and(|id| scores[id] >= 1.0));
            of_group.push((before.count() as f64, "reference".to_owned()));
        }
    }
    let mut compared = 0;
    for (group, mut got) in outputs {
        got.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        let got: Value = got.into_iter().map(|(_, output)| output).collect();
        if by_id(wanted)?.get(&group) != Some(&got) {
            return Err(format!("{group}: selected {got}, expected {}", wanted[&group]));
        }
        compared += 1;
    }
    Ok(compared)
}

fn undefined(given: &InMemory) -> Compared {
    let scores = of_rollouts(given, "balance_score")?;
    if scores.is_empty() { Ok(1) } else { Err(format!("expected no balance score, got {scores:?}")) }
}

/// The schedule at each step, one iteration each.
fn magnitudes(case: &Case) -> Compared {
    let list = |key: &str| case.expected.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let row = |step: &Value| json!({"group_id": "g", "rollout_id": step.to_string(), "iteration": step, "reward": 0.0});
    let rollouts: Vec<Value> = list("steps").iter().map(row).collect();
    let settings: Vec<(String, Value)> = case
        .params
        .iter()
        .filter(|(word, _)| *word != "piece")
        .map(|(word, value)| (word.clone(), value.clone()))
        .collect();
    let recipe = find("rlvr_schedule").map_err(|error| error.to_string())?;
    let given = recipe.in_memory(&settings, load::rollouts(&rollouts)?).map_err(|error| error.to_string())?;
    let magnitudes = of_rollouts(&given, "magnitude")?;
    let got: Vec<f64> = list("steps").iter().map(|step| magnitudes[&step.to_string()]).collect();
    let wanted: Vec<f64> = list("magnitudes").iter().filter_map(Value::as_f64).collect();
    close("magnitudes", &got, &wanted, &case.tolerance)
}

/// The threshold with the best balance score, and the score at every twentieth threshold; the recipe finds
/// the same by itself.
fn search(case: &Case) -> Compared {
    let number = |name: &str| case.params.get(name).and_then(Value::as_f64).ok_or(format!("has no {name}"));
    let search = ThresholdSearch {
        target_size: number("target_size")? as usize,
        from: number("threshold_from")?,
        to: number("threshold_to")?,
        step: number("threshold_step")?,
        max_samples: number("max_samples")? as usize,
        target_correct: number("target_correct")? as usize,
    };
    let mut prompts: BTreeMap<&str, Vec<ScoredSample>> = BTreeMap::new();
    for row in &case.rollouts {
        let of_prompt = prompts.entry(row["group_id"].as_str().unwrap_or_default()).or_default();
        if row["has_answer"] == json!(true) {
            of_prompt.push(sample(row.as_object().ok_or("a rollout is not an object")?)?);
        }
    }
    let prompts: Vec<Vec<ScoredSample>> = prompts
        .into_values()
        .map(|mut samples| {
            samples.push(ScoredSample { output: "reference".into(), score: 1.0, right: true });
            samples
        })
        .collect();
    let every: Vec<(f64, f64)> = balance_by_threshold(&prompts, &search)
        .into_iter()
        .step_by(20)
        .map(|found| (found.threshold, found.score.unwrap_or(f64::NAN)))
        .collect();
    let (thresholds, scores): (Vec<f64>, Vec<f64>) = every.into_iter().unzip();
    let best = search_threshold(&prompts, &search).ok_or("no threshold selects anything")?;
    let settings: Vec<(String, Value)> = case.params.clone().into_iter().collect();
    let recipe = find("b_star").map_err(|error| error.to_string())?;
    let given =
        recipe.in_memory(&settings, load::rollouts(&case.rollouts)?).map_err(|error| error.to_string())?;
    let of_recipe = |name: &str| -> Result<Vec<f64>, String> {
        Ok(of_rollouts(&given, name)?.into_values().take(1).collect())
    };
    let wanted = |key: &str| -> Vec<f64> {
        match case.expected.get(key) {
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_f64).collect(),
            Some(one) => one.as_f64().into_iter().collect(),
            None => Vec::new(),
        }
    };
    let mut compared = 0;
    for (key, got) in [
        ("thresholds", thresholds),
        ("balance_scores", scores),
        ("best_threshold", vec![best.threshold]),
        ("best_balance_score", best.score.into_iter().collect()),
        ("best_threshold", of_recipe("threshold")?),
        ("best_balance_score", of_recipe("balance_score")?),
    ] {
        compared += close(key, &got, &wanted(key), &case.tolerance)?;
    }
    Ok(compared)
}

fn sample(row: &Map<String, Value>) -> Result<ScoredSample, String> {
    let steps = row["step_rewards"].as_array().ok_or("has no step_rewards")?;
    let least = steps.iter().filter_map(Value::as_f64).fold(f64::INFINITY, f64::min);
    let right = row["reward"].as_f64().ok_or("has no reward")?;
    let output = row["output_id"].as_str().ok_or("has no output_id")?.to_owned();
    Ok(ScoredSample { output, score: least / 5.0 + right, right: right == 1.0 })
}

//! Golden cases of the family `turns`.

use std::collections::{BTreeMap, BTreeSet};

use meed_operators::signals::{Assignment, ToolCall};
use meed_pipelines::InMemory;
use serde_json::{Map, Value, json};

use super::{Family, by_id, close};
use crate::case::Case;
use crate::compare::{self, Tolerance};

pub struct Turns;

impl Family for Turns {
    fn rollouts(&self, case: &Case, rollouts: Vec<Value>) -> Result<Vec<Value>, String> {
        let change: fn(&Case, &mut Map<String, Value>) -> Result<(), String> = match case.recipe.as_str() {
            "matchtir" => tool_calls,
            "igpo" => unseen_turns,
            "siop" => entailments,
            _ => return Ok(rollouts),
        };
        let changed = rollouts.into_iter().map(|mut row| {
            change(case, row.as_object_mut().ok_or("a rollout is not an object")?)?;
            Ok(row)
        });
        changed.collect()
    }

    fn key(&self, case: &Case, key: &str, wanted: &Value, given: &InMemory) -> Option<Result<usize, String>> {
        match (case.recipe.as_str(), key) {
            ("matchtir", "similarity") => Some(similarities(case, wanted)),
            ("matchtir", "call_rewards_ot") => Some(in_shares(case, wanted)),
            ("igpo", "step_information_gains") => Some(gains(case, wanted, given)),
            ("igpo", "token_advantages" | "step_advantages") => {
                Some(with_boundaries(case, key, wanted, given))
            }
            // Made of log-probabilities, which are stored as f32.
            ("istar", "step_rewards" | "step_advantages") => Some(to_single(key, wanted, given)),
            ("siop", "references") => Some(references(wanted, given)),
            _ => None,
        }
    }
}

/// Calls as the actions of steps, and the F1 of the answer as the reward.
fn tool_calls(_: &Case, row: &mut Map<String, Value>) -> Result<(), String> {
    let Some(calls) = row.remove("step_tool_calls") else {
        return Ok(());
    };
    let action = |calls: &Value| match calls.as_array() {
        Some(calls) if !calls.is_empty() => json!(Value::from(calls.clone()).to_string()),
        _ => Value::Null,
    };
    let mut actions: Vec<Value> = calls.as_array().into_iter().flatten().map(action).collect();
    // A column of nulls alone has no type.
    if actions.iter().all(Value::is_null) {
        actions.fill(json!("[]"));
    }
    row.insert("step_actions".into(), actions.into());
    let gold = row.remove("gold_tool_calls").ok_or("has no gold_tool_calls")?;
    row.insert("gold_calls".into(), gold.to_string().into());
    let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
    row.insert("reward".into(), json!(overlap(text("answer"), text("gold_answer"))));
    Ok(())
}

/// F1 of the sets of words, without case and punctuation.
fn overlap(answer: &str, gold: &str) -> f64 {
    let words = |text: &str| -> BTreeSet<String> {
        let plain: String = text
            .chars()
            .map(|c| if c.is_ascii_punctuation() { ' ' } else { c.to_ascii_lowercase() })
            .collect();
        plain.split_whitespace().map(str::to_owned).collect()
    };
    let (answer, gold) = (words(answer), words(gold));
    let shared = answer.intersection(&gold).count() as f64;
    if shared == 0.0 { 0.0 } else { 2.0 * shared / (answer.len() + gold.len()) as f64 }
}

/// The similarity of every predicted call of a rollout to every gold call.
fn matrix(row: &Value) -> Result<Vec<Vec<f64>>, String> {
    let calls = |value: &Value| ToolCall::read(&value.to_string()).ok_or(format!("{value} are no calls"));
    let gold = calls(&row["gold_tool_calls"])?;
    let mut matrix = Vec::new();
    for step in row["step_tool_calls"].as_array().into_iter().flatten() {
        let of_step = calls(step)?;
        matrix.extend(of_step.iter().map(|call| gold.iter().map(|gold| call.similarity(gold)).collect()));
    }
    Ok(matrix)
}

fn similarities(case: &Case, wanted: &Value) -> Result<usize, String> {
    let mut compared = 0;
    for row in &case.rollouts {
        let id = row["rollout_id"].as_str().unwrap_or_default();
        let wanted = numbers(
            by_id(wanted)?[id]
                .as_array()
                .into_iter()
                .flatten()
                .flat_map(|row| row.as_array().into_iter().flatten()),
        );
        compared += close(id, &matrix(row)?.concat(), &wanted, &case.tolerance)?;
    }
    Ok(compared)
}

/// What the same calls earn in shares.
fn in_shares(case: &Case, wanted: &Value) -> Result<usize, String> {
    let regularisation = case.params["reg"].as_f64().ok_or("has no reg")?;
    let mut compared = 0;
    for row in &case.rollouts {
        let id = row["rollout_id"].as_str().unwrap_or_default();
        let got = Assignment::Transport { regularisation }.rewards(&matrix(row)?, 0.0);
        let wanted = numbers(by_id(wanted)?[id].as_array().into_iter().flatten());
        compared += close(id, &got, &wanted, &case.tolerance)?;
    }
    Ok(compared)
}

fn numbers<'a>(values: impl Iterator<Item = &'a Value>) -> Vec<f64> {
    values.map(|value| value.as_f64().unwrap_or(f64::NAN)).collect()
}

/// Where raw zeros were fed to the advantage function alone, a turn whose likelihood is that of the turn
/// before has none of its own.
fn unseen_turns(case: &Case, row: &mut Map<String, Value>) -> Result<(), String> {
    if !case.note.contains("raw zeros fed straight") {
        return Ok(());
    }
    let mut before = row["prompt_gold_logprob"].clone();
    let kinds = row["step_kinds"].as_array().cloned().unwrap_or_default();
    let steps = row["step_gold_logprobs"].as_array_mut().ok_or("has no step_gold_logprobs")?;
    for (logprob, _) in steps.iter_mut().zip(kinds).filter(|(_, kind)| kind != "environment") {
        if *logprob == before {
            *logprob = Value::Null;
        } else {
            before = logprob.clone();
        }
    }
    Ok(())
}

/// A turn without a gain has null, where the file has a filler.
fn gains(case: &Case, wanted: &Value, given: &InMemory) -> Result<usize, String> {
    let mut wanted: BTreeMap<String, Value> = by_id(wanted)?.clone().into_iter().collect();
    for filler in wanted.values_mut().filter_map(Value::as_array_mut).flatten() {
        if *filler == json!(0.0) {
            *filler = Value::Null;
        }
    }
    let (unit, evaluated, rows) = (&given.unit, &given.evaluated, given.rows.as_ref());
    compare::key("step_information_gains", &wanted, unit, evaluated, rows, &case.tolerance)
}

/// Without groups that have a single gain, where a later turn is discounted: it is normalised to exactly 0,
/// with which the reference loses the turn's boundary.
fn with_boundaries(case: &Case, key: &str, wanted: &Value, given: &InMemory) -> Result<usize, String> {
    let lone = |id: &str| {
        let (group, _) = id.split_once('-').unwrap_or((id, ""));
        let gains = case.expected["step_information_gains"].as_object().into_iter().flatten();
        let of_group = gains.filter(|(other, _)| other.starts_with(&format!("{group}-")));
        let known = of_group.flat_map(|(_, gains)| gains.as_array().into_iter().flatten());
        known.filter(|gain| **gain != json!(0.0)).count() == 1
    };
    let mut wanted: BTreeMap<String, Value> = by_id(wanted)?.clone().into_iter().collect();
    wanted.retain(|id, _| case.params["gamma"] == json!(1.0) || !lone(id));
    compare::key(key, &wanted, &given.unit, &given.evaluated, given.rows.as_ref(), &case.tolerance)
}

/// Compared as precisely as columns of f32 allow.
fn to_single(key: &str, wanted: &Value, given: &InMemory) -> Result<usize, String> {
    let wanted: BTreeMap<String, Value> = by_id(wanted)?.clone().into_iter().collect();
    let single = Tolerance::read(Some(&json!(1e-6)), None)?;
    compare::key(key, &wanted, &given.unit, &given.evaluated, given.rows.as_ref(), &single)
}

/// Labels of the group, by the rollout's own answer; the evidence of observations as items.
fn entailments(case: &Case, row: &mut Map<String, Value>) -> Result<(), String> {
    let group = row["group_id"].as_str().unwrap_or_default();
    let of_group = &case.entailments[group];
    let own =
        of_group["answers"].as_array().into_iter().flatten().position(|answer| *answer == row["answer"]);
    let labels = own.map_or(json!([]), |own| of_group["labels"][own].clone());
    let answers = if own.is_some() { of_group["answers"].clone() } else { json!([]) };
    row.insert("entailment_labels".into(), labels);
    row.insert("entailment_answers".into(), answers);
    let kinds = row["step_kinds"].as_array().cloned().unwrap_or_default();
    let evidence = row.remove("step_evidence").ok_or("has no step_evidence")?;
    let of_observations = evidence.as_array().into_iter().flatten().zip(&kinds);
    let of_observations =
        of_observations.filter(|(_, kind)| *kind == "environment").map(|(score, _)| score.clone());
    row.insert("observation_evidence".into(), of_observations.collect());
    Ok(())
}

fn references(wanted: &Value, given: &InMemory) -> Result<usize, String> {
    use arrow::array::{Array, AsArray};
    let got = given.unit.column("answer_reference").ok_or("has no answer_reference")?.as_string::<i32>();
    for row in 0..given.unit.rows() {
        let own = got.is_valid(row).then(|| got.value(row));
        let wanted = by_id(wanted)?.get(given.unit.rollout_id(row)).and_then(Value::as_str);
        if own != wanted.filter(|answer| !answer.is_empty()) {
            return Err(format!("{}: {own:?}, expected {wanted:?}", given.unit.rollout_id(row)));
        }
    }
    Ok(given.unit.rows())
}

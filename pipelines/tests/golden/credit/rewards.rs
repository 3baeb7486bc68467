//! Golden cases of the family `rewards`.

use meed_pipelines::InMemory;
use serde_json::{Value, json};

use super::Family;
use crate::case::Case;

pub struct Rewards;

impl Family for Rewards {
    fn rollouts(&self, case: &Case, rollouts: Vec<Value>) -> Result<Vec<Value>, String> {
        match case.recipe.as_str() {
            "carr" => rollouts.into_iter().map(rubrics).collect(),
            "router_r1" => rollouts.into_iter().enumerate().map(|(at, row)| routed(case, at, row)).collect(),
            _ => Ok(rollouts),
        }
    }

    fn key(&self, case: &Case, key: &str, _: &Value, _: &InMemory) -> Option<Result<usize, String>> {
        // What verifiers read off the response, which the recipe is given.
        let of_response = ["format_rewards", "metric_scores", "route_counts"].contains(&key);
        (case.recipe == "router_r1" && of_response).then_some(Ok(0))
    }

    fn fault(&self, case: &Case) -> Option<&'static str> {
        let mut rewards = case.rollouts.iter().map(|row| &row["reward"]);
        let first = rewards.next();
        let equal = case.params.contains_key("running_zscore") && rewards.all(|reward| Some(reward) == first);
        equal.then_some(
            "the mean of equal rewards is a rounding error off, which divided by itself gives 1; its note says 0",
        )
    }
}

/// What verifiers say of the response as columns. Costs enter the reference's window row by row: each row is
/// an iteration.
fn routed(case: &Case, at: usize, row: Value) -> Result<Value, String> {
    let Value::Object(mut row) = row else {
        return Err("a rollout is not an object".into());
    };
    let id = row["rollout_id"].as_str().unwrap_or_default().to_owned();
    let said = |key: &str| case.expected[key][&id].as_f64().ok_or(format!("{key} of {id} is no number"));
    row.insert("format_ok".into(), json!(said("format_rewards")? == 0.0));
    // The metric of a wrong answer is the format's score.
    row.insert("reward".into(), json!(said("metric_scores")?.max(0.0)));
    row.insert("iteration".into(), json!(at));
    row.remove("route_calls");
    row.remove("gold_answers");
    Ok(Value::Object(row))
}

/// Entities as items with a verdict each, and the outcome as the reward. The rubric reward that a row carries
/// is what the recipe computes.
fn rubrics(row: Value) -> Result<Value, String> {
    let Value::Object(mut row) = row else {
        return Err("a rollout is not an object".into());
    };
    row.remove("rubric_reward");
    let outcome = row.remove("outcome").unwrap_or(json!(1.0));
    let mentions = row.remove("rubric_entities").ok_or("a rollout has no rubric_entities")?;
    let verdicts = row.remove("identified_entities").ok_or("a rollout has no identified_entities")?;
    let verdicts = verdicts.as_object().ok_or("identified_entities is no object")?;
    row.insert("reward".into(), outcome);
    row.insert("rubric_mention_entities".into(), mentions);
    row.insert("entity_ids".into(), verdicts.keys().cloned().collect());
    row.insert("entity_identified".into(), verdicts.values().cloned().collect());
    Ok(Value::Object(row))
}

//! Golden cases of the family `rewards`.

use serde_json::{Value, json};

use super::Family;
use crate::case::Case;

pub struct Rewards;

impl Family for Rewards {
    fn rollouts(&self, case: &Case, rollouts: Vec<Value>) -> Result<Vec<Value>, String> {
        match case.recipe.as_str() {
            "carr" => rollouts.into_iter().map(rubrics).collect(),
            _ => Ok(rollouts),
        }
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

/// Entities as items with a verdict each, and the outcome as the reward. The rubric reward that a row carries is
/// what the recipe computes.
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

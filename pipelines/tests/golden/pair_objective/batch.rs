//! The rollouts of a case as an objective reads them.

use meed_operators::objectives::preference::Pair;
use meed_operators::objectives::{Columns, Loss};
use meed_pipelines::find_objective;
use serde_json::{Map, Value};

/// Rollouts of a case as columns, with their ids.
pub struct Batch {
    pub columns: Columns,
    pub ids: Vec<String>,
    pub groups: Vec<String>,
    pub rows: Vec<Value>,
}

impl Batch {
    pub fn of(case: &Value) -> Result<Self, String> {
        let rows = case["rollouts"].as_array().ok_or("has no rollouts")?.clone();
        let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let ids: Vec<String> = rows.iter().map(|row| text(row, "rollout_id")).collect();
        let mut groups: Vec<String> = Vec::new();
        let mut columns = Columns { offsets: vec![0], ..Columns::default() };
        for row in &rows {
            let group = text(row, "group_id");
            let number = groups.iter().position(|known| *known == group).unwrap_or(groups.len());
            if number == groups.len() {
                groups.push(group);
            }
            columns.groups.push(number);
            let mask = row["token_mask"].as_array();
            columns.mask.extend(mask.into_iter().flatten().map(|on| on.as_bool().unwrap_or(false)));
            columns.offsets.push(columns.mask.len());
        }
        columns.logprobs = vec![0.0; columns.mask.len()];
        let rewards: Vec<f64> = rows.iter().filter_map(|row| row["reward"].as_f64()).collect();
        columns.rewards = (rewards.len() == rows.len()).then_some(rewards);
        let labelled = |label: &str, number: usize| {
            (0..rows.len()).find(|&i| rows[i]["label"] == label && columns.groups[i] == number)
        };
        columns.pairs = (0..groups.len())
            .filter_map(|number| Some(Pair::new(labelled("chosen", number)?, labelled("rejected", number)?)))
            .collect();
        Ok(Batch { columns, ids, groups, rows })
    }

    pub fn column(&self, name: &str) -> Result<Vec<f64>, String> {
        let mut values = Vec::new();
        for row in &self.rows {
            let list = row[name].as_array().ok_or_else(|| format!("a rollout has no {name}"))?;
            values.extend(list.iter().map(|value| value.as_f64().unwrap_or(f64::NAN)));
        }
        Ok(values)
    }

    /// Log-probabilities of the current model, of its reference and of the old one.
    pub fn logprobs(mut self, now: &str, reference: Option<&str>, old: Option<&str>) -> Result<Self, String> {
        self.columns.logprobs = self.column(now)?;
        self.columns.ref_logprobs = reference.map(|name| self.column(name)).transpose()?;
        self.columns.old_logprobs = old.map(|name| self.column(name)).transpose()?;
        Ok(self)
    }

    pub fn signal(&mut self, name: &str, values: Vec<f64>) {
        self.columns.signals.insert(name.to_owned(), values);
    }

    pub fn loss(&self, name: &str, settings: Map<String, Value>) -> Result<Loss, String> {
        let text = |error: meed_operators::Error| format!("{error}; {}", error.hint());
        let settings: Vec<(String, Value)> = settings.into_iter().collect();
        let objective = find_objective(name).and_then(|found| found.with(&settings)).map_err(text)?;
        objective.loss(&self.columns).map_err(text)
    }
}

/// Parameters of the loss: without those that belong to other parts of the method.
pub fn settings(case: &Value, elsewhere: &[&str]) -> Map<String, Value> {
    let mut settings = case["params"].as_object().cloned().unwrap_or_default();
    settings.retain(|name, _| !elsewhere.contains(&name.as_str()));
    settings
}

pub fn output<'a>(loss: &'a Loss, name: &str) -> Result<&'a [f64], String> {
    loss.outputs.get(name).map(Vec::as_slice).ok_or_else(|| format!("the loss has no output `{name}`"))
}

pub fn part(loss: &Loss, name: &str) -> Result<f64, String> {
    loss.parts.get(name).copied().ok_or_else(|| format!("the loss has no part `{name}`"))
}

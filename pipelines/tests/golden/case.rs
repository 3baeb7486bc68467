//! One golden case: which recipe it names, and what must come out.

use std::collections::BTreeMap;

use meed_pipelines::InMemory;
use meed_pipelines::vocabulary::{Named, named};
use serde_json::{Map, Value, json};

use crate::compare::{self, Tolerance};
use crate::credit;
use crate::load;
use crate::objective;
use crate::pair_objective;
use crate::recipe_objective;

/// Keys of a case that this test knows. Others fail by name.
const KEYS: &[&str] = &[
    "recipe",
    "params",
    "source",
    "precision",
    "note",
    "reference_bug",
    "rollouts",
    "expected",
    "tolerance",
    "bug",
    "expected_correct",
    "reference_output",
    "framework",
    "name",
    "wrong",
    "wrong_origin",
    "reference_bug_note",
    "nodes",
    "sigmas",
    "transitions",
    "entailments",
];

pub struct Case {
    pub recipe: String,
    pub source: String,
    pub framework: Option<String>,
    pub params: Map<String, Value>,
    pub rollouts: Vec<Value>,
    /// Nodes of trees, where the case has some.
    pub nodes: Vec<Value>,
    pub expected: Map<String, Value>,
    pub reference_bug: bool,
    pub corrected: bool,
    pub bug: String,
    pub note: String,
    /// Labels of answers, by group.
    pub entailments: Value,
    pub tolerance: Tolerance,
    pub unknown_key: Option<String>,
}

pub enum Outcome {
    /// So many values agree.
    Asserted(usize),
    /// So many values agree, and these keys are not asserted, each for its reason.
    Partly(usize, Vec<(String, &'static str)>),
    /// Not asserted, for this reason.
    Listed(String),
}

impl Case {
    pub fn read(case: Value) -> Result<Self, String> {
        let fields = case.as_object().ok_or("is not an object")?;
        let object = |name: &str| fields.get(name).and_then(Value::as_object).cloned();
        let corrected = object("expected_correct");
        Ok(Case {
            recipe: fields.get("recipe").and_then(Value::as_str).ok_or("names no recipe")?.to_owned(),
            source: fields.get("source").and_then(Value::as_str).unwrap_or_default().to_owned(),
            framework: fields.get("framework").and_then(Value::as_str).map(str::to_owned),
            params: object("params").ok_or("has no params")?,
            rollouts: fields.get("rollouts").and_then(Value::as_array).cloned().unwrap_or_default(),
            nodes: fields.get("nodes").and_then(Value::as_array).cloned().unwrap_or_default(),
            reference_bug: fields.get("reference_bug").and_then(Value::as_bool).unwrap_or(false),
            corrected: corrected.is_some(),
            expected: corrected.or_else(|| object("expected")).ok_or("expects nothing")?,
            bug: ["bug", "reference_bug_note"]
                .iter()
                .find_map(|key| fields.get(*key)?.as_str())
                .unwrap_or("see its note")
                .to_owned(),
            note: fields.get("note").and_then(Value::as_str).unwrap_or_default().to_owned(),
            entailments: fields.get("entailments").cloned().unwrap_or_default(),
            tolerance: Tolerance::read(fields.get("tolerance"), fields.get("precision"))?,
            unknown_key: fields.keys().find(|key| !KEYS.contains(&key.as_str())).cloned(),
        })
    }

    pub fn run(&self) -> Result<Outcome, String> {
        if let Some(outcome) = recipe_objective::run(self) {
            return self.and_credit(outcome?);
        }
        self.credit(&self.expected)
    }

    /// What the objective left to the credit of the method, where the method has a recipe.
    pub fn and_credit(&self, outcome: Outcome) -> Result<Outcome, String> {
        let Outcome::Partly(compared, left) = outcome else {
            return Ok(outcome);
        };
        let later = [recipe_objective::LATER, pair_objective::CREDIT];
        let (later, left): (Vec<_>, Vec<_>) =
            left.into_iter().partition(|(_, reason)| later.contains(reason));
        if later.is_empty() || meed_pipelines::find(&self.recipe).is_err() {
            return Ok(Outcome::Partly(compared, later.into_iter().chain(left).collect()));
        }
        let expected = |wanted: &dyn Fn(&String) -> bool| {
            let fields = self.expected.iter().filter(|(key, _)| wanted(key));
            fields.map(|(key, x)| (key.clone(), x.clone())).collect::<Map<_, _>>()
        };
        if self.reference_bug && compared > 0 {
            // What the bug does not touch is asserted, key by key.
            let (mut compared, mut left) = (compared, left);
            for (key, _) in later {
                match self.credit(&expected(&|known| *known == key))? {
                    Outcome::Asserted(more) => compared += more,
                    _ => left.push((key, "reference bug, not reproduced: see the case's note")),
                }
            }
            return Ok(Outcome::Partly(compared, left));
        }
        match self.credit(&expected(&|key| later.iter().any(|(known, _)| known == key)))? {
            Outcome::Asserted(more) => Ok(Outcome::Partly(compared + more, left)),
            Outcome::Partly(more, rest) => {
                Ok(Outcome::Partly(compared + more, rest.into_iter().chain(left).collect()))
            }
            Outcome::Listed(reason) if compared == 0 => Ok(Outcome::Listed(reason)),
            Outcome::Listed(reason) => {
                Err(format!("the objective agrees, but the credit is listed: {reason}"))
            }
        }
    }

    /// Runs the recipe and compares these keys.
    fn credit(&self, expected: &Map<String, Value>) -> Result<Outcome, String> {
        if let Some(outcome) = credit::run(self) {
            return outcome.map(Outcome::Asserted);
        }
        let text = |error: meed_operators::Error| format!("{error}; {}", error.hint());
        if objective::is_one(&self.recipe, &self.params) {
            return match &self.unknown_key {
                Some(key) => Err(format!("the key `{key}` is not known")),
                None => objective::run(self),
            };
        }
        let (recipe, mut settings) =
            match named(&self.recipe, self.framework.as_deref(), &self.params).map_err(text)? {
                Named::Elsewhere(reason) => return Ok(Outcome::Listed(reason)),
                Named::Recipe(recipe, settings) => (recipe, settings),
            };
        if let Some(key) = &self.unknown_key {
            return Err(format!("the key `{key}` is not known"));
        }
        if self.params.get("stage") == Some(&json!("normalise")) {
            let column = self.expected.keys().next().ok_or("expects nothing")?;
            settings.push(("reward".into(), json!(column)));
        }
        if self.params.get("estimator") == Some(&json!("gdpo")) && !self.params.contains_key("reward_columns")
        {
            let row = self.rollouts.first().and_then(Value::as_object);
            let columns: Vec<&String> =
                row.into_iter().flat_map(Map::keys).filter(|name| name.starts_with("reward_")).collect();
            settings.push(("reward_columns".into(), json!(columns)));
        }
        let batch = load::rollouts(&credit::rollouts(self)?)?;
        let recipe = meed_pipelines::find(recipe).map_err(text)?;
        let given = recipe.in_memory(&settings, batch).map_err(text)?;
        let compared = self.compare(expected, &given);
        match compared {
            Ok(0) => Ok(Outcome::Listed("no value at a trainable position".into())),
            Ok(values) => Ok(Outcome::Asserted(values)),
            Err(_) if self.reference_bug && !self.corrected => {
                Ok(Outcome::Listed(format!("reference bug, not reproduced: {}", self.bug)))
            }
            Err(difference) => match credit::fault(self) {
                Some(fault) => Ok(Outcome::Listed(format!("reference bug, not reproduced: {fault}"))),
                None => Err(difference),
            },
        }
    }

    fn compare(&self, expected: &Map<String, Value>, given: &InMemory) -> Result<usize, String> {
        let mut compared = 0;
        for (key, wanted) in expected {
            if let Some(outcome) = credit::key(self, key, wanted, given) {
                compared += outcome.map_err(|error| format!("{key}: {error}"))?;
                continue;
            }
            let by_id: BTreeMap<String, Value> = match wanted {
                Value::Object(values) => values.clone().into_iter().collect(),
                scalar => BTreeMap::from([("".to_owned(), scalar.clone())]),
            };
            let (unit, evaluated, rows) = (&given.unit, &given.evaluated, given.rows.as_ref());
            compared += compare::key(key, &by_id, unit, evaluated, rows, &self.tolerance)?;
        }
        Ok(compared)
    }
}

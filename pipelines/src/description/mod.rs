//! What a recipe is, as a value: `meed explain`, `meed recipes` and `docs/recipes.md` all print it.

mod columns;
mod markdown;
mod parameters;

pub use columns::{Need, ReadColumn};
pub use markdown::markdown;
pub use parameters::{PARAMETER_GROUPS, ParameterGroup};

use arrow::datatypes::{Field, Schema};
use meed_operators::Result;
use meed_operators::credit::{Credit, Expr, Node, Reach, Scope};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::methods::{Part, parts_of};
use crate::parameters::parse;
use crate::recipe::{Kind, Plan, Recipe};

/// Everything that there is to say about a recipe under some settings.
#[derive(Debug, Clone, Serialize)]
pub struct Description {
    /// Its name.
    pub name: &'static str,
    /// One line about it.
    pub title: &'static str,
    /// Folder of its file.
    pub family: &'static str,
    /// What it gives: `advantage` or `reward`.
    pub kind: &'static str,
    /// Its formula, as in the paper.
    pub formula: &'static str,
    /// Where it comes from.
    pub citation: &'static str,
    /// How it is known to be the method.
    pub fidelity: &'static str,
    /// Where it deviates, and what is guessed; empty where nowhere.
    pub deviations: &'static str,
    /// What it is trained with; none for rewards.
    pub objective: Option<TrainedBy>,
    /// How far it looks.
    pub reach: Looks,
    /// The columns that it reads, those that it needs first.
    pub inputs: Vec<ReadColumn>,
    /// Operators that add columns before credit is assigned.
    pub operators: Vec<Adds>,
    /// Its parameters.
    pub parameters: Vec<Setting>,
    /// Its credit expressions, one named signal each.
    pub credit: Vec<String>,
    /// What else there is of the method: other objectives, strategies of sampling.
    pub parts: Vec<&'static Part>,
}

/// An objective with the settings that differ from its defaults.
#[derive(Debug, Clone, Serialize)]
pub struct TrainedBy {
    /// Its name.
    pub name: &'static str,
    /// The settings.
    pub settings: Map<String, Value>,
}

/// How far a recipe looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Looks {
    /// `rollout`, `group`, `iteration`, or `history` for all iterations so far.
    pub at: &'static str,
    /// Passes over the data before the main one.
    pub passes: usize,
}

/// An operator and its columns.
#[derive(Debug, Clone, Serialize)]
pub struct Adds {
    /// Its name.
    pub name: String,
    /// What it reads.
    pub reads: Vec<String>,
    /// What it adds.
    pub adds: Vec<String>,
}

/// A parameter with its value.
#[derive(Debug, Clone, Serialize)]
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// Its default.
    pub default: Value,
    /// Its value under the settings.
    pub value: Value,
    /// What it does.
    pub meaning: &'static str,
    /// The group of parameters that several recipes share, where it belongs to one.
    pub group: Option<&'static str>,
}

impl Looks {
    /// In words.
    pub fn words(self) -> String {
        match (self.at, self.passes) {
            ("rollout", _) => "one rollout".to_owned(),
            ("group", _) => "one group".to_owned(),
            (at, passes) => {
                let what = if at == "history" { "all iterations so far" } else { "one iteration" };
                let passes = if passes == 1 { "a pass".to_owned() } else { format!("{passes} passes") };
                format!("{what}, in {passes} over the data before the main one")
            }
        }
    }
}

impl Recipe {
    /// Describes the recipe under settings.
    ///
    /// Without a schema, reach and expressions are those on data that has every column that the recipe can
    /// read; with one, those on such data, as far as it has what the recipe needs.
    ///
    /// ```
    /// let grpo = meed_pipelines::find("grpo")?.describe(&[], None)?;
    /// assert_eq!((grpo.reach.at, grpo.inputs[0].name.as_str()), ("group", "reward"));
    /// # Ok::<(), meed_operators::Error>(())
    /// ```
    ///
    /// # Errors
    /// Settings that the recipe does not have, and a column whose type does not fit its use.
    pub fn describe(&self, settings: &[(String, Value)], schema: Option<&Schema>) -> Result<Description> {
        let (parameters, plan) = self.set(settings)?;
        let (inputs, ideal) = self.columns_read(settings, &plan)?;
        let given = schema.and_then(|schema| self.ready(settings, schema).ok());
        let ready = given.unwrap_or(ideal);
        Ok(Description {
            name: self.name,
            title: self.title,
            family: self.family,
            kind: self.kind.name(),
            formula: self.formula,
            citation: self.citation,
            fidelity: self.fidelity.name(),
            deviations: self.deviations,
            objective: (self.kind == Kind::Advantage).then(|| trained_by(self)),
            reach: looks(ready.reach(), &plan),
            inputs,
            operators: operators(&plan),
            parameters: parameters::settings(self, &parameters),
            credit: lines(&ready.assignment.checked.credit),
            parts: parts_of(self.name),
        })
    }
}

fn trained_by(recipe: &Recipe) -> TrainedBy {
    let (name, settings) = recipe.objective;
    let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), parse(value)));
    TrainedBy { name, settings: settings.collect() }
}

/// How far a plan looks whose expressions reach so far: an operator sees whole groups.
pub fn looks(reach: Reach, plan: &Plan) -> Looks {
    fn looks_back(expression: &Expr) -> bool {
        let here = match expression.node() {
            Node::Aggregate { by, .. } | Node::Rank { by, .. } => matches!(by.scope, Scope::History(_)),
            _ => false,
        };
        here || expression.node().children().iter().any(looks_back)
    }
    match reach {
        Reach::Batch { passes } => {
            let back = plan.credit.expressions().any(|(_, expression)| looks_back(expression));
            Looks { at: if back { "history" } else { "iteration" }, passes }
        }
        Reach::Row if plan.operators.is_empty() => Looks { at: "rollout", passes: 0 },
        Reach::Row | Reach::Group => Looks { at: "group", passes: 0 },
    }
}

fn operators(plan: &Plan) -> Vec<Adds> {
    let names = |fields: Vec<Field>| fields.into_iter().map(|field| field.name().clone()).collect();
    let groups = plan.operators.iter().map(|operator| Adds {
        name: operator.name().to_owned(),
        reads: operator.reads(),
        adds: names(operator.adds()),
    });
    let iterations = plan.gathers.iter().map(|operator| Adds {
        name: operator.name().to_owned(),
        reads: columns::gathered(operator.as_ref()).into_iter().collect(),
        adds: names(operator.adds()),
    });
    groups.chain(iterations).collect()
}

fn lines(credit: &Credit) -> Vec<String> {
    credit.expressions().map(|(name, expression)| format!("{name} = {expression}")).collect()
}

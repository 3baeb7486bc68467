//! A recipe: a named method of credit assignment as a value.

use std::sync::Arc;

use arrow::datatypes::Field;
use meed_operators::columns::Table;
use meed_operators::credit::{Credit, provider};
use meed_operators::signals::{AddSignals, GatherSignals};
use meed_operators::tree::tables_of;
use meed_operators::{Error, Result};
use serde_json::Value;

use crate::inputs::{Input, SHARED};
use crate::parameters::{Parameter, Parameters};
use crate::presets;
use crate::program;
use crate::ready::Ready;

/// What a recipe produces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Advantages.
    Advantage,
    /// A shaped reward, to be used by other recipes.
    Reward,
    /// Which rollouts, steps or pairs are taken, and with what weight: for a sampler, or a loss over pairs.
    Selection,
}

impl Kind {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Advantage => "advantage",
            Kind::Reward => "reward",
            Kind::Selection => "selection",
        }
    }
}

/// How a recipe is known to be what it is named after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fidelity {
    /// Equal to the authors' program, or to the systems of its presets, by golden numbers.
    Reference,
    /// Equal to the paper's equations, by a numeric check.
    Equations,
    /// The most faithful reading of a text that leaves something open; `deviations` lists what is
    /// guessed.
    Reconstructed,
}

impl Fidelity {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Fidelity::Reference => "reference",
            Fidelity::Equations => "equations",
            Fidelity::Reconstructed => "reconstructed",
        }
    }
}

/// Name of an objective and settings that differ from its defaults, as JSON.
pub type TrainedWith = (&'static str, &'static [(&'static str, &'static str)]);

/// What most recipes are trained with: the clipped surrogate at its defaults.
pub const PPO_CLIP: TrainedWith = ("ppo_clip", &[]);

/// What a recipe is made of once its parameters are known.
#[derive(Clone, Default)]
pub struct Plan {
    /// Operators that add signals before credit is assigned, in order.
    pub operators: Vec<Arc<dyn AddSignals>>,
    /// Operators over the whole iteration after them, in order.
    pub gathers: Vec<Arc<dyn GatherSignals>>,
    /// The credit program.
    pub credit: Credit,
}

impl Plan {
    /// The tables of which it gives rows beside advantages: nodes of trees, edges of graphs.
    pub fn tables(&self) -> Vec<Table> {
        let added: Vec<Field> = self.operators.iter().flat_map(|operator| operator.adds()).collect();
        tables_of(&added)
    }
}

impl From<Credit> for Plan {
    fn from(credit: Credit) -> Self {
        Plan { credit, ..Plan::default() }
    }
}

/// A method of credit assignment.
#[derive(Debug, Clone, Copy)]
pub struct Recipe {
    /// Its name, as on the command line.
    pub name: &'static str,
    /// One line about it.
    pub title: &'static str,
    /// Paper or system that it comes from.
    pub citation: &'static str,
    /// Folder of its file.
    pub family: &'static str,
    /// What it produces.
    pub kind: Kind,
    /// What update minimises with its advantages, unless it is told otherwise.
    pub objective: TrainedWith,
    /// Its formula in one line.
    pub formula: &'static str,
    /// How it is known to be the method.
    pub fidelity: Fidelity,
    /// Where it deviates from the reference and why, and what is guessed; empty where nowhere.
    pub deviations: &'static str,
    /// The columns that are peculiar to it, beside reward, tokens and mask.
    pub inputs: &'static [&'static [Input]],
    /// Its parameters, in groups.
    pub parameters: &'static [&'static [Parameter]],
    /// Builds it.
    pub plan: fn(&Parameters) -> Result<Plan>,
}

/// What recipes of advantages have in common, to be completed with `..ADVANTAGE`.
pub const ADVANTAGE: Recipe = Recipe {
    name: "",
    title: "",
    citation: "",
    family: "",
    kind: Kind::Advantage,
    objective: PPO_CLIP,
    formula: "",
    fidelity: Fidelity::Equations,
    deviations: "",
    inputs: &[],
    parameters: &[],
    plan: |_| Err(Error::usage("this recipe has no plan", "set `plan` to what builds its credit")),
};

/// What recipes of rewards have in common, to be completed with `..REWARD`.
pub const REWARD: Recipe = Recipe { kind: Kind::Reward, ..ADVANTAGE };

/// What recipes of selections have in common, to be completed with `..SELECTION`.
pub const SELECTION: Recipe = Recipe { kind: Kind::Selection, ..ADVANTAGE };

impl Recipe {
    /// The columns that it declares.
    pub fn inputs(&self) -> impl Iterator<Item = &'static Input> {
        self.inputs.iter().copied().flatten()
    }

    /// All declared parameters.
    pub fn declared(&self) -> Vec<Parameter> {
        self.parameters.concat()
    }

    /// Its parameters with settings: defaults, then the preset, then the settings.
    ///
    /// # Errors
    /// Unknown parameters, presets or values, by name.
    pub fn set(&self, settings: &[(String, Value)]) -> Result<(Parameters, Plan)> {
        let declared = self.declared();
        let known = |name: &str| declared.iter().any(|parameter| parameter.name == name);
        let (values, bindings): (Vec<_>, Vec<_>) = settings
            .iter()
            .partition(|(name, value)| known(name) && !(name == "reward" && value.is_string()));
        let mut layered: Vec<(&str, Value)> = Vec::new();
        if known("preset")
            && let Some((_, preset)) = values.iter().rev().find(|(name, _)| name == "preset")
        {
            for (name, value) in presets::settings(preset)? {
                if known(name) {
                    layered.push((name, value));
                }
            }
        }
        layered.extend(values.iter().map(|(name, value)| (name.as_str(), value.clone())));
        let parameters = Parameters::new(self.name, &declared, layered)?;
        let mut plan = (self.plan)(&parameters)?;
        for (input, signal) in bindings {
            plan.credit = self.bind(&plan.credit, input, signal, &declared)?;
        }
        Ok((parameters, plan))
    }

    /// Reads `signal` wherever the program reads `input`.
    fn bind(&self, credit: &Credit, input: &str, signal: &Value, declared: &[Parameter]) -> Result<Credit> {
        let inputs = credit.reads();
        let Some(signal) = signal.as_str().filter(|_| inputs.iter().any(|name| name == input)) else {
            let parameters: Vec<&str> = declared.iter().map(|parameter| parameter.name).collect();
            return Err(Error::usage(
                format!("recipe {} has no parameter and no input `{input}`", self.name),
                format!("parameters: {}; inputs: {}", parameters.join(", "), inputs.join(", ")),
            ));
        };
        Ok(credit.renamed(input, signal))
    }

    /// The recipe with its settings, checked against a schema: ready to assign credit.
    ///
    /// # Errors
    /// A signal that the data does not have, with what would provide it; see [`Ready::new`].
    pub fn ready(&self, settings: &[(String, Value)], schema: &arrow::datatypes::Schema) -> Result<Ready> {
        let (parameters, plan) = self.set(settings)?;
        let ready = Ready::new(self.name, parameters.json(), &plan, schema);
        let explained = |error| self.with_provider(error, schema);
        ready.map_err(|error| program::pointed(explained(error), self, settings, schema))
    }

    /// A missing column comes with what the recipe, or the list of shared columns, says would provide it; a
    /// missing level, or one whose elements nothing places on tokens, by the column that is missing.
    fn with_provider(&self, error: Error, schema: &arrow::datatypes::Schema) -> Error {
        let lacks = |input: &Input| schema.column_with_name(input.column).is_none();
        let of_level = |level: &str, input: &Input| {
            let prefix = level.replace('.', "_");
            input.column.strip_prefix(&prefix).is_some_and(|rest| rest.starts_with('_'))
        };
        match error {
            Error::MissingSignal { recipe, signal, hint } => {
                let level = signal.strip_suffix("_…");
                let declared = match level {
                    Some(level) => self.inputs().find(|input| of_level(level, input) && lacks(input)),
                    None => self.inputs().chain(SHARED).find(|input| input.column == signal),
                };
                match (declared, level) {
                    (Some(input), _) => missing(recipe, input),
                    (None, Some("step" | "turn")) => Error::MissingSignal {
                        recipe,
                        signal: "step_ends".to_owned(),
                        hint: provider("step_ends").to_owned(),
                    },
                    (None, _) => Error::MissingSignal { recipe, signal, hint },
                }
            }
            // Data with columns of a level, but not the one that places its elements on tokens.
            Error::Expression { .. } => {
                let names = || schema.fields().iter().map(|field| field.name());
                let is_placed_nowhere = |input: &&Input| {
                    let level = input.column.strip_suffix("_ends");
                    let has = |level: &str| {
                        names().any(|name| name.strip_prefix(level).is_some_and(|rest| rest.starts_with('_')))
                    };
                    lacks(input) && level.is_some_and(has)
                };
                self.inputs()
                    .find(is_placed_nowhere)
                    .map_or(error, |input| missing(self.name.to_owned(), input))
            }
            other => other,
        }
    }
}

fn missing(recipe: String, input: &Input) -> Error {
    let hint = format!("{}: {}", input.meaning, input.provider);
    Error::MissingSignal { recipe, signal: input.column.to_owned(), hint }
}

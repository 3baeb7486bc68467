//! A recipe: a named method of credit assignment as a value.

use std::sync::Arc;

use meed_operators::credit::{Assignment, Checked, Credit, SignalSchema};
use meed_operators::signals::AddSignals;
use meed_operators::{Error, Result};
use serde_json::Value;

use crate::parameters::{Parameter, Parameters};
use crate::presets;

/// What a recipe produces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Advantages.
    Advantage,
    /// A shaped reward, to be used by other recipes.
    Reward,
}

impl Kind {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Advantage => "advantage",
            Kind::Reward => "reward",
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
    /// The credit program.
    pub credit: Credit,
}

impl From<Credit> for Plan {
    fn from(credit: Credit) -> Self {
        Plan { operators: Vec::new(), credit }
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
    /// Where it deviates from the reference, and why.
    pub fidelity: &'static str,
    /// Its parameters, in groups.
    pub parameters: &'static [&'static [Parameter]],
    /// Builds it.
    pub plan: fn(&Parameters) -> Result<Plan>,
}

impl Recipe {
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
    /// A signal that the data does not have, with what would provide it; see [`Checked::new`].
    pub fn assignment(
        &self,
        settings: &[(String, Value)],
        schema: &arrow::datatypes::Schema,
    ) -> Result<(Assignment, Plan)> {
        let (parameters, plan) = self.set(settings)?;
        let mut fields: Vec<_> = schema.fields().iter().cloned().collect();
        for operator in &plan.operators {
            let available = arrow::datatypes::Schema::new(fields.clone());
            operator.check(self.name, &available)?;
            fields.extend(operator.adds().into_iter().map(Arc::new));
        }
        let widened = SignalSchema::new(&arrow::datatypes::Schema::new(fields));
        let mut checked = Checked::new(self.name, &plan.credit, &widened)?;
        for operator in &plan.operators {
            let added: Vec<String> = operator.adds().iter().map(|field| field.name().clone()).collect();
            checked.columns.retain(|name| !added.contains(name));
            checked.columns.extend(operator.reads());
        }
        checked.columns.sort();
        checked.columns.dedup();
        let assignment = Assignment { recipe: self.name.to_owned(), parameters: parameters.json(), checked };
        Ok((assignment, plan))
    }
}

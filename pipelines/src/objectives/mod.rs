//! Objectives by name, one file each: what update minimises, with its parameters.

pub mod denoising;
#[cfg(test)]
mod finite_differences;
pub mod judges;
pub mod parts;
mod policy;
pub mod preference;
pub mod presets;
pub mod recipes;

use meed_operators::objectives::Objective;
use meed_operators::{Error, Result};
use serde_json::Value;

use crate::parameters::{Parameter, Parameters};

/// An objective: a named loss as a value, built once its parameters are known.
#[derive(Debug, Clone, Copy)]
pub struct NamedObjective {
    /// Its name, as on the command line.
    pub name: &'static str,
    /// One line about it.
    pub title: &'static str,
    /// Paper or system that it comes from.
    pub citation: &'static str,
    /// Its formula in one line.
    pub formula: &'static str,
    /// Its parameters, in groups.
    pub parameters: &'static [&'static [Parameter]],
    /// Builds it.
    pub build: fn(&Parameters) -> Result<Box<dyn Objective>>,
}

impl NamedObjective {
    /// All declared parameters.
    pub fn declared(&self) -> Vec<Parameter> {
        self.parameters.concat()
    }

    /// What is known of its source, and where it deviates from it, as a recipe's `fidelity`; empty where
    /// nothing is said.
    pub fn fidelity(&self) -> &'static str {
        let known = [
            policy::FIDELITY,
            recipes::FIDELITY,
            preference::FIDELITY,
            judges::FIDELITY,
            denoising::FIDELITY,
        ];
        let mut texts = known.into_iter().flatten();
        texts.find(|(name, _)| *name == self.name).map_or("", |(_, fidelity)| *fidelity)
    }

    /// The objective with settings over its defaults. The setting `preset` names the conventions of a
    /// system ([`presets`]), which stand between defaults and settings.
    ///
    /// ```
    /// let clip = meed_pipelines::find_objective("ppo_clip")?;
    /// let objective = clip.with(&[("preset".into(), "verl".into()), ("clip_high".into(), 0.28.into())])?;
    /// assert_eq!(objective.name(), "ppo_clip");
    /// assert!(clip.with(&[("clip_hihg".into(), 0.28.into())]).is_err());
    /// # Ok::<(), meed_operators::Error>(())
    /// ```
    ///
    /// # Errors
    /// Unknown presets, parameters or values, by name.
    pub fn with(&self, settings: &[(String, Value)]) -> Result<Box<dyn Objective>> {
        (self.build)(&self.parameters_with(settings)?)
    }

    /// The values of its parameters with settings.
    ///
    /// # Errors
    /// Unknown presets and parameters, by name.
    pub fn parameters_with(&self, settings: &[(String, Value)]) -> Result<Parameters> {
        let declared = self.declared();
        let preset = settings.iter().rev().find(|(name, _)| name == "preset").map(|(_, preset)| preset);
        let conventions = presets::settings(preset.unwrap_or(&Value::Null), self.name, &declared)?;
        let given = settings.iter().filter(|(name, _)| name != "preset");
        let given = given.map(|(name, value)| (name.as_str(), value.clone()));
        Parameters::new(self.name, &declared, conventions.into_iter().chain(given))
    }
}

/// Every objective, one list per family.
pub const OBJECTIVES: &[&[&NamedObjective]] =
    &[policy::POLICY, recipes::RECIPES, preference::PREFERENCE, judges::JUDGES, denoising::DENOISING];

/// Every objective, in the order of the list.
pub fn objectives() -> impl Iterator<Item = &'static NamedObjective> {
    OBJECTIVES.iter().flat_map(|family| family.iter().copied())
}

/// The objective of a name.
///
/// # Errors
/// A name that is no objective; the hint lists them.
pub fn find_objective(name: &str) -> Result<&'static NamedObjective> {
    objectives().find(|objective| objective.name == name).ok_or_else(|| {
        let names: Vec<&str> = objectives().map(|objective| objective.name).collect();
        Error::usage(format!("no objective is called `{name}`"), format!("objectives: {}", names.join(", ")))
    })
}

#[cfg(test)]
mod tests;

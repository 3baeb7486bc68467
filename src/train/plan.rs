//! What a training run is, as names and numbers: its lineage, and the settings of its parts.

use std::path::PathBuf;
use std::sync::Arc;

use meed_catalog::Lineage;
use meed_operators::objectives::Objective;
use meed_operators::update::{Decay, Schedule};
use meed_operators::{Error, Result};
use meed_pipelines::find_objective;
use meed_pipelines::parameters::parse;
use meed_pipelines::stored::RecipeSettings;
use serde_json::{Map, Value, json};

use super::Train;
use crate::pipeline::recipe;
use crate::run_name::run_name;
use crate::settings::settings_of;

const OBJECTIVE: &str = "objective.";

impl Train {
    /// The recipe with its part of the settings.
    pub(super) fn recipe_settings(&self) -> Result<RecipeSettings> {
        let own: Vec<(String, Value)> =
            self.settings.iter().filter(|(key, _)| !key.starts_with(OBJECTIVE)).cloned().collect();
        let chosen = settings_of(vec![RecipeSettings::from(&recipe(&self.recipe)?)], &own)?;
        chosen.into_iter().next().ok_or_else(|| Error::usage("no recipe was chosen", "name one"))
    }

    /// The objective with its part of the settings: the recipe's own at the recipe's settings, or another
    /// at its defaults.
    pub(super) fn built_objective(&self) -> Result<Arc<dyn Objective>> {
        let (name, settings) = self.objective_settings()?;
        Ok(Arc::from(find_objective(&name)?.with(&settings)?))
    }

    /// Whether the objective has a term for the divergence from the policy before training.
    pub(super) fn measures_divergence(&self) -> Result<bool> {
        let (name, settings) = self.objective_settings()?;
        let parameters = find_objective(&name)?.parameters_with(&settings)?;
        let coefficient = parameters.get("kl_coef").as_f64().unwrap_or(0.0);
        Ok(matches!(name.as_str(), "kl" | "reverse_kl_to_reference")
            || !parameters.is_null("kl")
            || coefficient != 0.0)
    }

    fn objective_settings(&self) -> Result<(String, Vec<(String, Value)>)> {
        let (usual, with) = recipe(&self.recipe)?.objective;
        let name = self.objective.clone().unwrap_or_else(|| usual.to_owned());
        let with = with.iter().filter(|_| name == usual);
        let mut settings: Vec<(String, Value)> =
            with.map(|(key, value)| ((*key).to_owned(), parse(value))).collect();
        let own = self.settings.iter().filter_map(|(key, value)| Some((key.strip_prefix(OBJECTIVE)?, value)));
        settings.extend(own.map(|(key, value)| (key.to_owned(), value.clone())));
        Ok((name, settings))
    }

    /// The difficulty that was asked for, or the task's own.
    pub(super) fn level(&self) -> u32 {
        self.difficulty.unwrap_or(self.task.difficulty().default)
    }

    /// Everything that decides what the run computes, and nothing else: workers and commits do not.
    fn parameters(&self, recipe: &RecipeSettings) -> Result<Value> {
        let (parameters, _) = recipe.recipe.set(&recipe.settings)?;
        let (objective, settings) = self.objective_settings()?;
        let settings: Map<String, Value> = settings.into_iter().collect();
        Ok(json!({
            "task": self.task.name(),
            "difficulty": self.level(),
            "recipe": { (self.recipe.clone()): parse(&parameters.json()) },
            "objective": { (objective): settings },
            "model": self.model,
            "lora": self.lora,
            "iterations": self.iterations,
            "staleness": self.staleness,
            "strategy": self.strategy,
            "prompts": self.prompts,
            "pool": self.pool,
            "group_size": self.group_size,
            "temperature": self.temperature,
            "optimizer": self.optimizer,
            "learning_rate": self.learning_rate,
            "schedule": self.schedule,
            "minibatches": self.minibatches,
            "passes": self.passes,
            "warm_up": {
                "steps": self.warm_up.steps,
                "batch": self.warm_up.batch,
                "learning_rate": self.warm_up.learning_rate,
                "solutions": self.solutions,
            },
            "stop_at": self.stop_at,
            "seed": self.seed,
        }))
    }

    pub(super) fn lineage(&self, recipe: &RecipeSettings) -> Result<Lineage> {
        let parameters = self.parameters(recipe)?;
        let target = format!("{} {}", self.catalog, self.dataset());
        Ok(Lineage {
            run: run_name(["train", &parameters.to_string(), &target]),
            command: self.command.clone(),
            recipes: vec![self.recipe.clone()],
            parameters,
            inputs: Vec::new(),
            code_version: env!("CARGO_PKG_VERSION").to_owned(),
        })
    }

    /// Where checkpoints go: beside the datasets where those are on this machine. Each run has a folder of
    /// its own, so that none begins with the weights of another that was cut off before its first commit.
    pub(super) fn checkpoint_directory(&self, run: &str) -> PathBuf {
        let directory = match &self.checkpoints {
            Some(directory) => directory.clone(),
            None if self.catalog.contains("://") => PathBuf::from("meed-checkpoints").join(self.dataset()),
            None => PathBuf::from(&self.catalog).join("_checkpoints").join(self.dataset()),
        };
        directory.join(run.get(..12).unwrap_or(run))
    }
}

/// Schedules of `meed train` by name.
const SCHEDULES: [&str; 4] = ["constant", "linear", "cosine", "rex"];

impl Train {
    /// Learning rate by optimiser step; those that fall reach a hundredth of their peak at the end.
    pub(super) fn built_schedule(&self) -> Result<Schedule> {
        let steps = self.iterations * (self.passes * self.minibatches) as u64;
        let decay = match self.schedule.as_str() {
            "constant" => return Ok(Schedule::constant(self.learning_rate)),
            "linear" => Decay::Linear { steps },
            "cosine" => Decay::Cosine { steps },
            "rex" => Decay::Rex { steps, d: 0.9, restart: false },
            other => {
                return Err(Error::usage(
                    format!("there is no schedule `{other}`"),
                    format!("schedules: {}", SCHEDULES.join(", ")),
                ));
            }
        };
        Ok(Schedule { peak: self.learning_rate, floor: self.learning_rate / 100.0, warm_up: 0, decay })
    }
}

//! Training a policy by reinforcement on a task, as a value that is built step by step and then run.

mod closing;
mod models;
mod plan;
mod prometheus;
mod replay;
mod report;
mod run;
mod strategies;
mod tables;

use std::path::PathBuf;
use std::sync::Arc;

use meed_operators::Result;
use meed_operators::engine::RunOptions;
use meed_pipelines::live::{Observe, WarmUp};
use meed_pipelines::tasks::{Task, find_task};
use serde_json::Value;

use crate::pipeline::{Notes, default_catalog};

#[cfg(feature = "model")]
pub(crate) use models::tokenizer_beside;
pub use report::{TrainReport, Try};
pub use tables::training_tables;

/// A training run on one of the tasks that ship with meed. Nothing happens before [`Train::run`].
///
/// Every field has a default with which a small model learns the default task within minutes on two
/// cores. A run of the same settings continues where it stopped, or says that it is done.
#[derive(Clone)]
pub struct Train {
    /// What is learned.
    pub task: &'static dyn Task,
    /// How hard it is; the task's own default where absent.
    pub difficulty: Option<u32>,
    /// Name of the recipe that assigns credit.
    pub recipe: String,
    /// Name of the objective that is minimised; the recipe's own where absent.
    pub objective: Option<String>,
    /// Parameters: `key` or `<recipe>.<key>` of the recipe, `objective.<key>` of the objective.
    pub settings: Vec<(String, Value)>,
    /// A named configuration (`tiny`, `small`, `128x4x4x512`), the directory of a model, or a llama2.c
    /// file.
    pub model: String,
    /// Rank of the low-rank adapters that are trained in place of all weights.
    pub lora: Option<usize>,
    /// How rollouts are sampled, by name.
    pub strategy: String,
    /// Iterations.
    pub iterations: u64,
    /// How many updates the sampling policy is behind.
    pub staleness: u64,
    /// Prompts per iteration.
    pub prompts: u64,
    /// Different training prompts, which come round again and again; no end of them where absent.
    pub pool: Option<u64>,
    /// Rollouts per prompt.
    pub group_size: usize,
    /// Temperature of sampling.
    pub temperature: f64,
    /// What changes the weights: `adamw` or `galore`.
    pub optimizer: String,
    /// Highest learning rate.
    pub learning_rate: f64,
    /// Schedule of the learning rate, by name.
    pub schedule: String,
    /// Optimiser steps per iteration and pass over its rollouts.
    pub minibatches: usize,
    /// Passes over the rollouts of an iteration.
    pub passes: usize,
    /// Supervised steps before the first iteration.
    pub warm_up: WarmUp,
    /// Solutions that the warm-up learns from.
    pub solutions: u64,
    /// Prompts of the held-out evaluation before and after training.
    pub held_out: usize,
    /// Sample no more once an iteration's pass rate reaches this share.
    pub stop_at: Option<f64>,
    /// Seed of everything.
    pub seed: u64,
    /// Name of the dataset of rollouts; `<task>_<recipe>` where absent.
    pub to: Option<String>,
    /// Where datasets are.
    pub catalog: String,
    /// Where checkpoints go; beside the datasets where absent.
    pub checkpoints: Option<PathBuf>,
    /// File that holds the newest metrics as Prometheus text.
    pub prometheus: Option<PathBuf>,
    /// Workers, commits.
    pub options: RunOptions,
    /// What lineage calls the command.
    pub command: String,
    /// Who hears what happens on the way.
    pub notes: Notes,
    /// Who hears of every iteration.
    pub observe: Observe,
}

impl Train {
    /// A run with the defaults of `meed train`.
    ///
    /// # Errors
    /// A task that does not exist; the hint lists them.
    pub fn new(task: &str) -> Result<Self> {
        Ok(Train {
            task: find_task(task)?,
            difficulty: None,
            recipe: "grpo".to_owned(),
            objective: None,
            settings: Vec::new(),
            model: "small".to_owned(),
            lora: None,
            strategy: "independent".to_owned(),
            iterations: 100,
            staleness: 0,
            prompts: 32,
            pool: None,
            group_size: 8,
            temperature: 1.0,
            optimizer: "adamw".to_owned(),
            learning_rate: 3e-4,
            schedule: "constant".to_owned(),
            minibatches: 1,
            passes: 1,
            warm_up: WarmUp { steps: 400, batch: 128, learning_rate: 2e-3, seed: 0 },
            solutions: 4096,
            held_out: 256,
            stop_at: None,
            seed: 0,
            to: None,
            catalog: default_catalog(),
            checkpoints: None,
            prometheus: None,
            options: RunOptions::default(),
            command: "Train::run".to_owned(),
            notes: Arc::new(|_| ()),
            observe: Arc::new(|_| ()),
        })
    }

    /// Name of the dataset of rollouts.
    pub fn dataset(&self) -> String {
        self.to.clone().unwrap_or_else(|| format!("{}_{}", self.task.name(), self.recipe))
    }
}

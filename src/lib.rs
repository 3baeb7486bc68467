//! Credit assignment for reinforcement-learning post-training, as a dataflow.
//!
//! This crate is the front of meed: [`Pipeline`] assigns credit to stored rollouts, [`Judging`]
//! scores them, [`Import`] brings rollouts in, and the crates behind them are here under short names. The program `meed`
//! is a thin layer over it.

pub use meed_catalog as catalog;
pub use meed_connectors as connectors;
pub use meed_operators as operators;
pub use meed_pipelines as pipelines;

mod address;
mod comparison;
mod fingerprint;
mod import;
mod judging;
mod memory_sink;
mod opened;
mod pipeline;
mod query;
mod rejects;
mod report;
mod run_name;
mod run_settings;
mod schema;
mod scores;
mod settings;
mod staged;
mod target;
mod train;

pub use address::Address;
pub use comparison::{CompareOptions, Compared, ComparisonReport};
pub use import::{Import, ImportedReport};
pub use judging::{Judging, JudgingReport, model_context};
pub use meed_operators::{Error, Result};
pub use memory_sink::MemorySink;
pub use pipeline::{Notes, Pipeline, default_catalog, own_recipe, recipe};
pub use query::sql_options;
pub use report::PipelineReport;
pub use schema::rollout_schema;
pub use settings::settings_of;
pub use train::{Train, TrainReport, Try, training_tables};

/// What a program that puts a closed loop together needs, beside the [`prelude`].
#[cfg(feature = "model")]
pub mod closed_loop {
    pub use crate::training_tables;
    pub use meed_catalog::Lineage;
    pub use meed_operators::engine::RunOptions;
    pub use meed_operators::judge::{Judge, Judges};
    pub use meed_operators::model::config::ModelConfig;
    pub use meed_operators::model::weights::Weights;
    pub use meed_operators::model::{LearnerOptions, LocalLearner};
    pub use meed_operators::policy::{Characters, Learner, Policy, Tokenizer};
    pub use meed_operators::random::RandomKey;
    pub use meed_operators::sample::{Prompt, Sampler};
    pub use meed_operators::update::{AdamW, AdamWOptions, Cut, Schedule};
    pub use meed_pipelines::find_objective;
    pub use meed_pipelines::live::{Checkpoints, Training, WarmUp, evaluate, warm_up};
    pub use meed_pipelines::stored::RecipeSettings;
    pub use meed_pipelines::tasks::{Problems, TaskJudge, find_task};
}

/// What a program that defines pipelines or recipes needs.
pub mod prelude {
    pub use crate::{Import, Judging, MemorySink, Pipeline, Train, own_recipe, recipe, sql_options};
    pub use meed_catalog::Catalog;
    pub use meed_connectors::OnError;
    pub use meed_operators::credit::*;
    pub use meed_operators::{Error, Result};
    pub use meed_pipelines::parameters::parameter;
    pub use meed_pipelines::{Kind, Parameter, Parameters, Plan, Recipe};
}

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
mod schema;
mod scores;
mod settings;
mod staged;
mod target;

pub use address::Address;
pub use import::{Import, ImportedReport};
pub use judging::{Judging, JudgingReport};
pub use meed_operators::{Error, Result};
pub use memory_sink::MemorySink;
pub use pipeline::{Notes, Pipeline, default_catalog, own_recipe, recipe};
pub use query::sql_options;
pub use report::PipelineReport;
pub use schema::rollout_schema;
pub use settings::settings_of;

/// What a program that defines pipelines or recipes needs.
pub mod prelude {
    pub use crate::{Import, Judging, MemorySink, Pipeline, own_recipe, recipe, sql_options};
    pub use meed_catalog::Catalog;
    pub use meed_connectors::OnError;
    pub use meed_operators::credit::*;
    pub use meed_operators::{Error, Result};
    pub use meed_pipelines::parameters::parameter;
    pub use meed_pipelines::{Kind, Parameter, Parameters, Plan, Recipe};
}

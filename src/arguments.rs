//! The command line: names, flags and their help.

mod lists;

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use meed::connectors::OnError;
use meed::connectors::import::IMPORTERS;
use meed::connectors::parquet_source::SLICE_BYTES;
use meed::pipelines::parameters::parse;
use meed::{Error, Result};
use serde_json::Value;

use lists::{importers, importers_in_full, judges, tasks};

/// Decides who earned the reward: assigns credit to the tokens, steps and turns of rollouts.
#[derive(Debug, Parser)]
#[command(name = "meed", version, propagate_version = true, arg_required_else_help = true)]
pub struct Arguments {
    /// Where datasets are: a directory, or an s3://, az:// or gs:// URI
    #[arg(long, global = true, env = "MEED_CATALOG", default_value = "./meed-data", value_name = "URI")]
    pub catalog: String,
    /// Say nothing but errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Import(ImportArguments),
    Assign(AssignArguments),
    Judge(JudgeArguments),
    Recipes(RecipesArguments),
    Explain(ExplainArguments),
    Train(Box<TrainArguments>),
    Compare(CompareArguments),
    Sql(SqlArguments),
    /// List the datasets of the catalog
    Datasets {
        /// As a JSON array
        #[arg(long)]
        json: bool,
    },
    /// Show the commits of a dataset, newest first, and what made each of them
    History {
        /// Name of the dataset; its scores, advantages and so on are shown with it
        dataset: String,
        /// As a JSON array
        #[arg(long)]
        json: bool,
    },
}

/// Read what other programs wrote into a dataset of rollouts
#[derive(Debug, Args)]
#[command(after_help = importers(), after_long_help = importers_in_full())]
pub struct ImportArguments {
    /// What the files are
    #[arg(value_parser = PossibleValuesParser::new(IMPORTERS.iter().map(|importer| importer.name())), hide_possible_values = true)]
    pub format: String,
    /// Files, directories of Parquet files, patterns or URIs
    #[arg(required = true)]
    pub path: Vec<String>,
    /// Dataset, or file that ends in .parquet, .jsonl or .arrow. Nodes of trees go beside it: to the
    /// dataset `<to>_nodes`, or for `x.parquet` to `x_nodes.parquet`
    #[arg(long, value_name = "DATASET|FILE")]
    pub to: String,
    /// Tokenise text with this tokenizer.json, in place of one token per byte
    #[arg(long, value_name = "FILE")]
    pub tokenizer: Option<PathBuf>,
    /// Policy version of the rollouts, where the files do not say
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    pub iteration: i64,
    #[command(flatten)]
    pub bad_rows: BadRows,
    /// Import again what was imported before, and append it
    #[arg(long)]
    pub new_run: bool,
}

/// Assign credit by one or more recipes: one row per rollout and recipe
#[derive(Debug, Args)]
pub struct AssignArguments {
    #[command(flatten)]
    pub recipes: Recipes,
    /// Dataset of rollouts (name or name@version), or a file, directory or URI
    #[arg(long, value_name = "DATASET|FILE")]
    pub from: String,
    /// Join stored scores as signals: datasets, whose tables `<name>_scores` are read, or files
    #[arg(long, value_name = "DATASET|FILE", value_delimiter = ',')]
    pub scores: Vec<String>,
    /// Dataset, whose table `<name>_advantages` is written, or a file
    #[arg(long, value_name = "DATASET|FILE")]
    pub to: String,
    #[command(flatten)]
    pub workers: Workers,
    #[command(flatten)]
    pub bad_rows: BadRows,
    /// About what a slice of the data takes in memory: the unit of work and of commits
    #[arg(long, value_name = "BYTES", default_value_t = SLICE_BYTES, value_parser = clap::value_parser!(u64).range(1..))]
    pub slice_bytes: u64,
    /// How much output makes a commit; every 10 seconds there is one anyway
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 30, value_parser = clap::value_parser!(u64).range(1..))]
    pub commit_bytes: u64,
    /// Run again what is done, and append its rows
    #[arg(long)]
    pub new_run: bool,
    /// Timely's own options, such as -n <processes> -p <this one> -h <host file>
    #[arg(last = true, value_name = "TIMELY")]
    pub timely: Vec<String>,
}

/// Judge stored rollouts: asks what is missing or has changed, and stores the scores
#[derive(Debug, Args)]
#[command(after_help = judges())]
pub struct JudgeArguments {
    /// Names of judges, separated by commas
    #[arg(long = "judge", value_name = "NAME", value_delimiter = ',', required = true)]
    pub judges: Vec<String>,
    /// Set a parameter of every judge that has it, or of one (<judge>.<key>=<value>)
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = setting)]
    pub set: Vec<(String, Value)>,
    /// Dataset of rollouts (name or name@version), or a file, directory or URI
    #[arg(long, value_name = "DATASET|FILE")]
    pub from: String,
    /// Dataset, whose table `<name>_scores` is written, or a file
    #[arg(long, value_name = "DATASET|FILE")]
    pub to: String,
    /// Calls of judges at a time
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..))]
    pub concurrency: u32,
    /// Time that each call has for its answer
    #[arg(long, value_name = "SECONDS", default_value_t = 60.0, value_parser = seconds)]
    pub deadline: f64,
    /// Directory of the model that likelihoods are asked of
    #[arg(long, value_name = "DIRECTORY")]
    pub model: Option<PathBuf>,
    #[command(flatten)]
    pub workers: Workers,
    #[command(flatten)]
    pub bad_rows: BadRows,
    /// About what a slice of the data takes in memory: the unit of work and of commits
    #[arg(long, value_name = "BYTES", default_value_t = SLICE_BYTES, value_parser = clap::value_parser!(u64).range(1..))]
    pub slice_bytes: u64,
    /// How much output makes a commit; every 10 seconds there is one anyway
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 30, value_parser = clap::value_parser!(u64).range(1..))]
    pub commit_bytes: u64,
    /// Ask everything, whether or not it was answered before
    #[arg(long)]
    pub new_run: bool,
    /// Timely's own options, such as -n <processes> -p <this one> -h <host file>
    #[arg(last = true, value_name = "TIMELY")]
    pub timely: Vec<String>,
}

/// List the recipes
#[derive(Debug, Args)]
pub struct RecipesArguments {
    /// As a JSON array, with parameters, columns, reach, objective and fidelity
    #[arg(long)]
    pub json: bool,
    /// As the document that docs/recipes.md is
    #[arg(long, conflicts_with = "json")]
    pub markdown: bool,
}

/// Explain a recipe: formula, the columns that it needs, parameters, and the credit expressions that it is made of
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("credit").required(true).args(["recipe", "expr"]))]
pub struct ExplainArguments {
    /// Name of the recipe
    #[arg(conflicts_with = "expr")]
    pub recipe: Option<String>,
    #[command(flatten)]
    pub programs: Programs,
    #[command(flatten)]
    pub settings: Settings,
    /// Check it against the columns of this dataset or file
    #[arg(long, value_name = "DATASET|FILE")]
    pub from: Option<String>,
}

/// Assign by several recipes and compare what they say, without storing it
#[derive(Debug, Args)]
pub struct CompareArguments {
    #[command(flatten)]
    pub recipes: Recipes,
    /// Dataset of rollouts (name or name@version), or a file, directory or URI
    #[arg(long, value_name = "DATASET|FILE")]
    pub from: String,
    /// Join stored scores as signals: datasets, whose tables `<name>_scores` are read, or files
    #[arg(long, value_name = "DATASET|FILE", value_delimiter = ',')]
    pub scores: Vec<String>,
    /// Ask judges on the way and join their scores, without storing them; `--set <judge>.<key>=<value>`
    /// sets a parameter
    #[arg(long = "judge", value_name = "NAME", value_delimiter = ',')]
    pub judges: Vec<String>,
    /// Directory of the model that judges ask for likelihoods
    #[arg(long, value_name = "DIRECTORY", requires = "judges")]
    pub model: Option<PathBuf>,
    /// How the numbers are written to standard output: csv has one number a line, json is one document
    #[arg(long, value_enum, default_value = "table")]
    pub format: NumberFormat,
    /// Write a page with plots and token heat maps of the most contested rollouts
    #[arg(long, value_name = "FILE.html")]
    pub out: Option<PathBuf>,
    /// How many contested rollouts the page and the JSON document have
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub contested: usize,
    /// tokenizer.json that reads token ids, for heat maps of data without texts of tokens
    #[arg(long, value_name = "FILE")]
    pub tokenizer: Option<PathBuf>,
    #[command(flatten)]
    pub workers: Workers,
    #[command(flatten)]
    pub bad_rows: BadRows,
}

/// Train a policy by reinforcement on a task, and keep every rollout, score, advantage and update
#[derive(Debug, Args)]
#[command(after_help = tasks())]
pub struct TrainArguments {
    /// What is learned
    #[arg(long, value_name = "NAME", default_value = "arithmetic")]
    pub task: String,
    /// How hard the task is [default: the task's own]
    #[arg(long, value_name = "N")]
    pub difficulty: Option<u32>,
    /// Recipe that assigns credit [default: grpo]
    #[arg(long, value_name = "NAME")]
    pub recipe: Option<String>,
    /// Objective that is minimised [default: the recipe's own]
    #[arg(long, value_name = "NAME")]
    pub objective: Option<String>,
    #[command(flatten)]
    pub settings: Settings,
    /// tiny, small, medium, sizes such as 128x4x4x512, or the directory or file of a model
    #[arg(long, value_name = "CONFIG|PATH")]
    pub model: Option<String>,
    /// Train low-rank adapters of this rank in place of all weights
    #[arg(long, value_name = "RANK")]
    pub lora: Option<usize>,
    /// How often to go round
    #[arg(long, value_name = "N")]
    pub iterations: Option<u64>,
    /// How many updates the sampling policy is behind
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub staleness: u64,
    /// How rollouts are sampled [default: independent]
    #[arg(long, value_name = "NAME")]
    pub strategy: Option<String>,
    /// Prompts per iteration
    #[arg(long, value_name = "N")]
    pub prompts: Option<u64>,
    /// Different training prompts, which come round again [default: no end of them]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub pool: Option<u64>,
    /// Rollouts per prompt
    #[arg(long, value_name = "N")]
    pub group_size: Option<usize>,
    /// Temperature of sampling
    #[arg(long, value_name = "T")]
    pub temperature: Option<f64>,
    /// What changes the weights: adamw or galore [default: adamw]
    #[arg(long, value_name = "NAME")]
    pub optimizer: Option<String>,
    /// Highest learning rate
    #[arg(long, value_name = "RATE")]
    pub learning_rate: Option<f64>,
    /// Schedule of the learning rate, by name
    #[arg(long, value_name = "NAME")]
    pub schedule: Option<String>,
    /// Optimiser steps per pass over the rollouts of an iteration
    #[arg(long, value_name = "N")]
    pub minibatches: Option<usize>,
    /// Passes over the rollouts of an iteration
    #[arg(long, value_name = "N")]
    pub passes: Option<usize>,
    /// Supervised steps before the first iteration
    #[arg(long, value_name = "STEPS")]
    pub warm_up: Option<usize>,
    /// Held-out prompts to evaluate on before and after
    #[arg(long, value_name = "N")]
    pub held_out: Option<usize>,
    /// Stop sampling once an iteration's pass rate reaches this share
    #[arg(long, value_name = "SHARE")]
    pub stop_at: Option<f64>,
    /// Seed of everything
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Dataset of the rollouts; the other tables are named after it [default: <task>_<recipe>]
    #[arg(long, value_name = "DATASET")]
    pub to: Option<String>,
    /// Directory of the checkpoints [default: beside the datasets]
    #[arg(long, value_name = "DIR")]
    pub checkpoints: Option<PathBuf>,
    /// Commit finished iterations at the latest after so long
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    pub commit_interval: f64,
    /// Keep the newest metrics in this file, as Prometheus text
    #[arg(long, value_name = "FILE")]
    pub prometheus: Option<PathBuf>,
    #[command(flatten)]
    pub workers: Workers,
    /// Timely's own options
    #[arg(last = true, value_name = "TIMELY")]
    pub timely: Vec<String>,
}

/// Query datasets and files with SQL
#[derive(Debug, Args)]
pub struct SqlArguments {
    /// The query; read from stdin where absent
    pub query: Option<String>,
    /// How the rows are written
    #[arg(long, value_enum, default_value = "table")]
    pub format: RowFormat,
}

#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("credit").required(true).multiple(true).args(["names", "expr"]))]
pub struct Recipes {
    /// Names of recipes, separated by commas
    #[arg(long = "recipe", value_name = "NAME", value_delimiter = ',')]
    pub names: Vec<String>,
    #[command(flatten)]
    pub programs: Programs,
    #[command(flatten)]
    pub settings: Settings,
}

#[derive(Debug, Clone, Args)]
pub struct Programs {
    /// A recipe of your own, such as 'advantage = reward - mean(reward, by(group))'; what `explain`
    /// prints can be given here
    #[arg(long, value_name = "PROGRAM")]
    pub expr: Vec<String>,
    /// Name of that recipe, one for each --expr [default: expr]
    #[arg(long, value_name = "NAME", requires = "expr")]
    pub name: Vec<String>,
}

impl Programs {
    /// Every program with its name.
    pub fn named(&self) -> Result<Vec<(&str, &str)>> {
        let names = match (self.expr.len(), self.name.as_slice()) {
            (0 | 1, []) => vec!["expr"],
            (programs, names) if programs == names.len() => names.iter().map(String::as_str).collect(),
            _ => return Err(Error::usage("programs and names do not pair", "give each --expr a --name")),
        };
        Ok(names.into_iter().zip(self.expr.iter().map(String::as_str)).collect())
    }
}

#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// Set a parameter of every recipe that has it, or of one (<recipe>.<key>=<value>), or bind a
    /// signal that a recipe reads to another column
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = setting)]
    pub set: Vec<(String, Value)>,
}

#[derive(Debug, Args)]
pub struct Workers {
    /// Worker threads [default: number of cores]
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
}

impl Workers {
    /// The number that was given, or that of cores.
    pub fn count(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        self.workers.unwrap_or_else(cores)
    }
}

#[derive(Debug, Args)]
pub struct BadRows {
    /// What to do with a row that breaks a rule
    #[arg(long, value_enum, default_value = "fail", value_name = "fail|skip", hide_possible_values = true)]
    on_error: Choice,
    /// Write skipped rows to this file, as JSON Lines
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
}

impl BadRows {
    /// What was chosen.
    pub fn on_error(&self) -> OnError {
        match self.on_error {
            Choice::Fail => OnError::Fail,
            Choice::Skip => OnError::Skip,
        }
    }

    /// The file for skipped rows.
    pub fn rejects(&self) -> Result<Option<&PathBuf>> {
        match (&self.rejects, self.on_error) {
            (Some(_), Choice::Fail) => {
                Err(Error::usage("--rejects has nothing to write", "add --on-error skip"))
            }
            (file, _) => Ok(file.as_ref()),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Choice {
    Fail,
    Skip,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RowFormat {
    Table,
    Csv,
    Json,
    Parquet,
    Arrow,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum NumberFormat {
    Table,
    Csv,
    Json,
}

fn setting(text: &str) -> std::result::Result<(String, Value), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), parse(value))),
        _ => Err("write it as key=value, such as eps=1e-4".to_owned()),
    }
}

fn seconds(text: &str) -> std::result::Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "write seconds as a number, such as 2.5".to_owned())?;
    let is_time = seconds > 0.0 && std::time::Duration::try_from_secs_f64(seconds).is_ok();
    is_time.then_some(seconds).ok_or_else(|| "a deadline is more than 0 seconds".to_owned())
}

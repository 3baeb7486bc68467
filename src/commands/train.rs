//! `meed train`: a policy learns a task by reinforcement, and everything that happened is kept.
#![allow(clippy::print_stderr)]

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use meed::{Error, Result, Train};

use super::command_line;
use crate::arguments::{Arguments, TrainArguments};
use crate::messages::Messages;
use crate::output::Output;
use crate::training_log::TrainingLog;

pub fn run(arguments: &Arguments, own: &TrainArguments) -> Result<()> {
    let messages = Messages::new("training", arguments.quiet);
    let mut train = own.train()?;
    train.catalog = arguments.catalog.clone();
    train.command = command_line();
    train.notes = messages.notes();
    let log = Arc::new(Mutex::new(TrainingLog::new(train.iterations)));
    let (count, say, observed) = (messages.iterations(train.iterations), messages.notes(), log.clone());
    train.observe = Arc::new(move |report| {
        count(1);
        if let Some(line) = observed.lock().unwrap_or_else(PoisonError::into_inner).add(report) {
            say(&line);
        }
    });
    let report = train.run()?;
    messages.done(&report);
    let log = log.lock().unwrap_or_else(PoisonError::into_inner);
    Output::new().text(&log.table(&report))?;
    if !arguments.quiet {
        suggest(&report.queries, &arguments.catalog);
    }
    Ok(())
}

/// Says what can be asked of the datasets, as commands to copy: of the program as it was called, which need
/// not be in the path.
fn suggest(queries: &[(&str, String)], catalog: &str) {
    let flag = match catalog {
        "./meed-data" => String::new(),
        other => format!(" --catalog {other}"),
    };
    let program = std::env::args().next().unwrap_or_else(|| "meed".to_owned());
    eprintln!("\nAsk the datasets:");
    for (question, query) in queries {
        eprintln!("\n# {question}\n{program}{flag} sql \"{query}\"");
    }
}

impl TrainArguments {
    /// The run that was asked for.
    fn train(&self) -> Result<Train> {
        let mut train = Train::new(&self.task)?;
        let defaults = train.clone();
        train.difficulty = self.difficulty;
        train.recipe = self.recipe.clone().unwrap_or(defaults.recipe);
        train.objective = self.objective.clone();
        train.settings = self.settings.set.clone();
        train.model = self.model.clone().unwrap_or(defaults.model);
        train.lora = self.lora;
        train.iterations = self.iterations.unwrap_or(defaults.iterations);
        train.staleness = self.staleness;
        train.strategy = self.strategy.clone().unwrap_or(defaults.strategy);
        train.prompts = self.prompts.unwrap_or(defaults.prompts);
        train.pool = self.pool;
        train.group_size = self.group_size.unwrap_or(defaults.group_size);
        train.temperature = self.temperature.unwrap_or(defaults.temperature);
        train.optimizer = self.optimizer.clone().unwrap_or(defaults.optimizer);
        train.learning_rate = self.learning_rate.unwrap_or(defaults.learning_rate);
        train.schedule = self.schedule.clone().unwrap_or(defaults.schedule);
        train.minibatches = self.minibatches.unwrap_or(defaults.minibatches);
        train.passes = self.passes.unwrap_or(defaults.passes);
        train.warm_up.steps = self.warm_up.unwrap_or(defaults.warm_up.steps);
        train.held_out = self.held_out.unwrap_or(defaults.held_out);
        train.stop_at = self.stop_at;
        train.seed = self.seed;
        train.to = self.to.clone();
        train.checkpoints = self.checkpoints.clone();
        train.prometheus = self.prometheus.clone();
        train.options.commit_interval =
            Duration::try_from_secs_f64(self.commit_interval).map_err(|error| {
                Error::usage(
                    format!("--commit-interval {}: {error}", self.commit_interval),
                    "give seconds, such as 10",
                )
            })?;
        train.options.workers = self.workers.count();
        train.options.timely = self.timely.clone();
        Ok(train)
    }
}

//! `meed assign`: rollouts in, advantages out.

use std::path::PathBuf;

use meed::{Pipeline, Result, recipe};

use super::command_line;
use crate::arguments::{Arguments, AssignArguments, Recipes};
use crate::messages::Messages;

pub fn run(arguments: &Arguments, own: &AssignArguments) -> Result<()> {
    let process = process(&own.timely);
    let messages = Messages::new("assigning", arguments.quiet || process > 0);
    let rejects = own.bad_rows.rejects()?.map(|path| of_process(path, process));
    let mut pipeline = Pipeline::from(&own.from)?
        .catalog(&arguments.catalog)
        .to(&own.to)?
        .workers(own.workers.count())
        .slice_bytes(own.slice_bytes)
        .commit_bytes(own.commit_bytes)
        .timely(own.timely.clone())
        .on_error(own.bad_rows.on_error())
        .new_run(own.new_run)
        .command(&command_line())
        .notes(messages.notes())
        .progress(messages.progress());
    for scores in &own.scores {
        pipeline = pipeline.scores(scores.trim())?;
    }
    pipeline = with_recipes(pipeline, &own.recipes)?;
    if let Some(path) = &rejects {
        pipeline = pipeline.rejects(path);
    }
    let report = pipeline.run()?;
    messages.done(&report);
    if let Some(path) = rejects
        && report.rejected > 0
    {
        messages.done(&format!("rejected rows are in {}", path.display()));
    }
    for warning in report.assigned.warnings() {
        messages.warn(&warning);
    }
    Ok(())
}

/// The pipeline with the recipes and settings of the command line.
pub fn with_recipes(mut pipeline: Pipeline, chosen: &Recipes) -> Result<Pipeline> {
    for name in &chosen.names {
        pipeline = pipeline.assign(recipe(name.trim())?);
    }
    for (name, program) in chosen.programs.named()? {
        pipeline = pipeline.assign_program(name, program)?;
    }
    for (key, value) in &chosen.settings.set {
        pipeline = pipeline.set(key, value.clone());
    }
    Ok(pipeline)
}

/// The index of this process among several: timely's option `-p`. What is wrong about it, the
/// engine says.
fn process(timely: &[String]) -> usize {
    let mut arguments = timely.iter();
    while let Some(argument) = arguments.next() {
        let value = match argument.as_str() {
            "-p" | "--process" => arguments.next().map(String::as_str),
            other => other.strip_prefix("--process=").or_else(|| other.strip_prefix("-p")),
        };
        if let Some(value) = value {
            return value.parse().unwrap_or(0);
        }
    }
    0
}

/// Processes share a directory but not a file.
fn of_process(path: &std::path::Path, process: usize) -> PathBuf {
    match process {
        0 => path.to_owned(),
        other => PathBuf::from(format!("{}.process-{other}", path.display())),
    }
}

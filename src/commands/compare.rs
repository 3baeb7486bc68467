//! `meed compare`: how recipes differ on the same rollouts.

use meed::catalog::{Format, format};
use meed::connectors::import::Tokenization;
use meed::pipelines::make_judges;
use meed::{CompareOptions, ComparisonReport, Error, Pipeline, Result, model_context};

use super::assign::with_recipes;
use crate::arguments::{Arguments, CompareArguments, NumberFormat, Recipes, Settings};
use crate::messages::Messages;
use crate::output::Output;

pub fn run(arguments: &Arguments, own: &CompareArguments) -> Result<()> {
    let messages = Messages::new("comparing", arguments.quiet);
    let judges: Vec<&str> = own.judges.iter().map(|name| name.trim()).collect();
    let is_of_judge = |key: &str| key.split_once('.').is_some_and(|(name, _)| judges.contains(&name));
    let (of_judges, set): (Vec<_>, Vec<_>) =
        own.recipes.settings.set.iter().cloned().partition(|(key, _)| is_of_judge(key));
    let recipes = Recipes { settings: Settings { set }, ..own.recipes.clone() };
    let shows = own.out.is_some() || own.format == NumberFormat::Json;
    let mut options = CompareOptions {
        judges: make_judges(&judges, &of_judges)?,
        contested: if shows { own.contested } else { 0 },
        tokenizer: own.tokenizer.as_ref().map(Tokenization::from_file).transpose()?,
        ..CompareOptions::default()
    };
    if let Some(model) = &own.model {
        options.context = model_context(model)?;
    }
    let mut pipeline = Pipeline::from(&own.from)?
        .catalog(&arguments.catalog)
        .workers(own.workers.count())
        .on_error(own.bad_rows.on_error())
        .notes(messages.notes())
        .progress(messages.progress_of_passes());
    for scores in &own.scores {
        pipeline = pipeline.scores(scores.trim())?;
    }
    if let Some(path) = own.bad_rows.rejects()? {
        pipeline = pipeline.rejects(path);
    }
    let report = with_recipes(pipeline, &recipes)?.compare(options)?;
    messages.done(&report);
    for warning in report.warnings() {
        messages.warn(&warning);
    }
    if let Some(path) = &own.out {
        let hint = "name a file in a directory that exists and can be written";
        std::fs::write(path, report.page()?)
            .map_err(|error| Error::external(format!("writing {}", path.display()), error, hint))?;
        messages.done(&format!("the page is {}", path.display()));
    }
    write(&report, own.format)
}

fn write(report: &ComparisonReport, to: NumberFormat) -> Result<()> {
    let mut output = Output::new();
    let (to, tables) = match to {
        NumberFormat::Json => return output.json(&report.json()),
        NumberFormat::Csv => (Format::Csv, vec![report.numbers()?]),
        NumberFormat::Table => (Format::Table, vec![report.recipe_table()?, report.pair_table()?]),
    };
    for table in tables.into_iter().filter(|table| table.num_rows() > 0) {
        format::write(to, &table.schema(), [Ok(table)], &mut output)?;
    }
    Ok(())
}

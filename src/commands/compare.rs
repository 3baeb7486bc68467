//! `meed compare`: how recipes differ on the same rollouts.

use meed::catalog::{Catalog, Format, format};
use meed::operators::credit::{Credit, value};
use meed::pipelines::Recipe;
use meed::{Error, Pipeline, Result, own_recipe, sql_options};

use super::assign::with_recipes;
use crate::arguments::{Arguments, CompareArguments};
use crate::messages::Messages;
use crate::output::Output;

/// Counts trainable tokens: every one of them gets 1.
const TRAINABLE: Recipe = Recipe {
    name: "trainable_tokens",
    plan: |_| Ok(Credit::new().advantage(value(1.0)).into()),
    ..own_recipe()
};

/// The mean advantage of every rollout over its trainable tokens; null where it is not trained on.
const MEANS: &str = "with sums as (
    select iteration, group_id, rollout_id, recipe, in_loss, list_sum(token_advantages) as total from '{file}'
), means as (
    select s.iteration, s.group_id, s.rollout_id, s.recipe, case when s.in_loss then s.total / t.total end as advantage
    from sums s join sums t on s.iteration = t.iteration and s.group_id = t.group_id and s.rollout_id = t.rollout_id
    where t.recipe = 'trainable_tokens' and s.recipe <> 'trainable_tokens'
)";

const EACH: &str =
    "select recipe, count(advantage) as rollouts, avg(advantage) as mean, stddev_samp(advantage) as std,
    min(advantage) as min, max(advantage) as max,
    avg(case when advantage = 0 then 1.0 when advantage is not null then 0.0 end) as zero
    from means group by recipe order by recipe";

const PAIRS: &str = "select a.recipe as recipe, b.recipe as other, count(*) as rollouts,
    corr(a.advantage, b.advantage) as correlation,
    avg(case when signum(a.advantage) = signum(b.advantage) then 1.0 else 0.0 end) as same_sign
    from means a join means b on a.iteration = b.iteration and a.group_id = b.group_id and a.rollout_id = b.rollout_id
    where a.recipe < b.recipe and a.advantage is not null and b.advantage is not null
    group by a.recipe, b.recipe order by a.recipe, b.recipe";

pub fn run(arguments: &Arguments, own: &CompareArguments) -> Result<()> {
    let messages = Messages::new("comparing", arguments.quiet);
    let directory = tempfile::tempdir().map_err(|error| {
        Error::external("making a temporary directory", error, "set TMPDIR to one with room")
    })?;
    let file = directory.path().join("advantages.parquet").display().to_string();
    let mut pipeline = Pipeline::from(&own.from)?
        .catalog(&arguments.catalog)
        .to(&file)?
        .workers(own.workers.count())
        .on_error(own.bad_rows.on_error())
        .notes(messages.notes())
        .progress(messages.progress());
    if let Some(path) = own.bad_rows.rejects()? {
        pipeline = pipeline.rejects(path);
    }
    let report = with_recipes(pipeline, &own.recipes)?.assign(TRAINABLE).run()?;
    let run = &report.assigned.run;
    messages.done(&format!(
        "{} rollouts in {:.1} s, {} bad rows skipped",
        run.rows_in, run.seconds, report.rejected
    ));
    for warning in report.assigned.warnings().iter().filter(|warning| !warning.starts_with(TRAINABLE.name)) {
        messages.warn(warning);
    }
    let catalog = Catalog::open(&arguments.catalog)?;
    let means = MEANS.replace("{file}", &file.replace('\'', "''"));
    let mut output = Output::new();
    for query in [EACH, PAIRS] {
        let rows = catalog.stream(&format!("{means} {query}"), &sql_options(&catalog))?;
        if query == EACH || own.recipes.count() > 1 {
            format::write(Format::Table, &rows.schema(), rows, &mut output)?;
        }
    }
    Ok(())
}

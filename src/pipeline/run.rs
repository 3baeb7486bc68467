//! What happens when a pipeline runs: open, sort, name the run, assign, report.

use meed_catalog::{Input, Lineage};
use meed_operators::columns::Table;
use meed_operators::{Error, Result};
use meed_pipelines::stored::{AssignJob, RecipeSettings, assign, tables_beside};
use meed_pipelines::{Kind, Recipe};
use serde_json::{Map, Value};

use super::{Origin, Pipeline};
use crate::address::Address;
use crate::rejects::keep;
use crate::report::PipelineReport;
use crate::run_name::{run_name, salt};
use crate::settings::settings_of;
use crate::target::Target;

impl Pipeline {
    /// Assigns credit: one row per rollout and recipe. Recipes that build trees or graphs write their nodes
    /// and edges beside: dataset `x_nodes` beside `x_advantages`, file `x_nodes.parquet` beside `x.parquet`.
    ///
    /// The rows of a dataset are committed exactly once, however often the run is repeated: after a
    /// crash it goes on where it stopped, and when it is done it says so and writes nothing.
    ///
    /// # Errors
    /// Usage: unknown parameters, no target, a target that is the input. Data: a column that a
    /// recipe needs is missing, rows that break an invariant. Anything that fails on the way.
    pub fn run(self) -> Result<PipelineReport> {
        let chosen = settings_of(self.recipes.clone(), &self.settings)?;
        for one in &chosen {
            refuse_other_kinds(&one.recipe)?;
        }
        self.run.options.check()?;
        let target = self
            .to
            .as_ref()
            .ok_or_else(|| Error::usage("the pipeline has no target", "name a dataset or file with `to`"))?;
        if let Origin::Address(address) = &self.from {
            target.refuse(address, "advantages", &[Table::Nodes, Table::Edges])?;
        }
        // It keeps temporary files until the end.
        let prepared = self.prepare(&chosen, None)?;
        let (source, sorted, bad_rows) = (prepared.source, prepared.sorted, prepared.bad_rows);
        let lineage = self.lineage(&chosen, prepared.input, prepared.score_inputs, target)?;
        let run = lineage.run.clone();
        let tables = tables_beside(&chosen, prepared.readable.as_ref())?;
        let is_dataset = matches!(target, Target::Address(Address::Dataset(_)));
        let beside = target.open_beside(&self.run.catalog, &tables, &lineage)?;
        let (sink, target) = target.open(&self.run.catalog, Table::Advantages, lineage)?;
        let slices = source.slices();
        if is_dataset && slices > 0 && sink.committer()?.resume_at()? >= slices {
            return Ok(PipelineReport::done_before(run, target, sorted));
        }
        let (on_error, rejected) = (bad_rows.on_invalid(), bad_rows.rejected.clone());
        let scores = prepared.scores;
        let names: Vec<String> = beside.iter().map(|beside| beside.name.clone()).collect();
        let beside = beside.into_iter().map(|beside| (beside.table, beside.sink)).collect();
        let job = AssignJob { recipes: chosen, source, sink, beside, scores, on_error, rejected };
        let assigned = assign(job, &self.run.options);
        // What was left out is worth knowing also where the run broke off.
        let kept = keep(bad_rows.rejected.take(), &bad_rows.rejects);
        let assigned = assigned?;
        kept?;
        Ok(PipelineReport {
            run,
            target,
            beside: names,
            done_before: false,
            assigned,
            sorted,
            rejected: bad_rows.rejects.count(),
            first_rejected: bad_rows.rejects.first(),
        })
    }

    fn lineage(
        &self,
        chosen: &[RecipeSettings],
        input: Input,
        scores: Vec<Input>,
        target: &Target,
    ) -> Result<Lineage> {
        let mut parameters = Map::new();
        for one in chosen {
            let (values, _) = one.recipe.set(&one.settings)?;
            let values = meed_pipelines::parameters::parse(&values.json());
            // Bindings are no parameters, but they decide what is read.
            let bound = one.settings.iter().filter(|(key, _)| values.get(key).is_none());
            let bound: Map<String, Value> = bound.cloned().collect();
            let mut values = values;
            if let (Value::Object(values), false) = (&mut values, bound.is_empty()) {
                values.insert("bindings".to_owned(), Value::Object(bound));
            }
            parameters.insert(one.recipe.name.to_owned(), values);
        }
        let parameters = Value::Object(parameters);
        let to = target.identity(&self.run.catalog);
        let salt = salt(self.new_run);
        let on_error = format!("{:?}", self.run.on_error);
        let parameters_text = parameters.to_string();
        let mut parts =
            vec!["assign", &input.uri, &input.fingerprint, &parameters_text, &to, &on_error, &salt];
        parts.extend(scores.iter().flat_map(|input| [input.uri.as_str(), input.fingerprint.as_str()]));
        let run = run_name(parts);
        Ok(Lineage {
            run,
            command: self.run.command.clone(),
            recipes: chosen.iter().map(|one| one.recipe.name.to_owned()).collect(),
            parameters,
            inputs: std::iter::once(input).chain(scores).collect(),
            code_version: env!("CARGO_PKG_VERSION").to_owned(),
        })
    }
}

pub(crate) fn refuse_other_kinds(recipe: &Recipe) -> Result<()> {
    match recipe.kind {
        Kind::Advantage => Ok(()),
        kind => Err(Error::usage(
            format!("recipe {} gives a {}, not an advantage", recipe.name, kind.name()),
            "`meed recipes` says what each one gives",
        )),
    }
}

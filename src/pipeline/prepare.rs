//! Rollouts and scores of a pipeline, open and checked against its recipes.

use std::sync::Arc;

use meed_catalog::{Catalog, Input, Sorted};
use meed_connectors::Rejects;
use meed_operators::Result;
use meed_operators::engine::Source;
use meed_operators::judge::Tally;
use meed_pipelines::stored::{RecipeSettings, Rejected, ScoreIndex, readable};
use tempfile::TempDir;

use super::{Origin, Pipeline};
use crate::judging::Asked;
use crate::opened::Opened;
use crate::staged::BadRows;

/// What a pipeline reads.
pub(crate) struct Prepared {
    pub(crate) source: Arc<dyn Source>,
    /// The source as recipes see it.
    pub(crate) readable: Arc<dyn Source>,
    pub(crate) input: Input,
    pub(crate) scores: Option<Arc<ScoreIndex>>,
    pub(crate) score_inputs: Vec<Input>,
    /// What judges were asked on the way.
    pub(crate) judged: Vec<(String, Tally)>,
    pub(crate) sorted: Option<Sorted>,
    pub(crate) bad_rows: BadRows,
    /// Staged and sorted files, which live as long as this.
    _directories: Vec<TempDir>,
}

impl Pipeline {
    /// Opens the rollouts and scores. Recipes are checked against the columns before anything is sorted;
    /// where judges are asked on the way, they are asked first, and their scores join the stored ones.
    pub(crate) fn prepare(&self, chosen: &[RecipeSettings], asked: Option<Asked<'_>>) -> Result<Prepared> {
        let bad_rows = BadRows {
            on_error: self.run.on_error,
            rejects: self.run.rejects.as_ref().map_or_else(Rejects::default, Rejects::into_file),
            rejected: Rejected::default(),
        };
        let (mut index, score_inputs) = match self.scores.is_empty() {
            true => (None, Vec::new()),
            false => {
                let (index, inputs) = crate::scores::index(&self.scores, &Catalog::open(&self.run.catalog)?)?;
                (Some(index), inputs)
            }
        };
        let fit = |source: &Arc<dyn Source>, scores: &Option<Arc<ScoreIndex>>| -> Result<()> {
            let (on_error, rejected) = (bad_rows.on_invalid(), Rejected::default());
            let schema = readable(source.clone(), on_error, rejected, scores)?.schema();
            let fits = |one: &RecipeSettings| one.recipe.ready(&one.settings, &schema).map(|_| ());
            chosen.iter().try_for_each(fits)
        };
        // Without judges the scores are all there, and a recipe that lacks a column ends the run early.
        let early = asked.is_none();
        let mut scores = None;
        if early {
            scores = index.take().map(Arc::new);
        }
        let mut sorted = None;
        let (source, input, directories): (Arc<dyn Source>, Input, Vec<TempDir>) = match &self.from {
            Origin::Source(source) => (source.clone(), input_of(source.as_ref()), Vec::new()),
            Origin::Address(address) => {
                let catalog = Catalog::open(&self.run.catalog)?;
                let mut opened =
                    Opened::open(address, &catalog, self.run.slice_bytes, &bad_rows, &*self.notes)?;
                let unsorted: Arc<dyn Source> = opened.source.clone();
                if early {
                    fit(&unsorted, &scores)?;
                }
                sorted = opened.cluster(&*self.notes)?;
                (opened.source.clone(), opened.input(), opened.directories)
            }
        };
        let mut judged = Vec::new();
        if let Some(asked) = asked {
            let (rows, tallies) = asked.ask(source.clone(), bad_rows.on_invalid(), &self.run.options)?;
            let mut index = index.unwrap_or_default();
            index.add(Box::new(rows.into_iter().map(Ok)))?;
            (scores, judged) = (Some(Arc::new(index)), tallies);
        }
        if !early || matches!(self.from, Origin::Source(_)) {
            fit(&source, &scores)?;
        }
        let readable = readable(source.clone(), bad_rows.on_invalid(), Rejected::default(), &scores)?;
        Ok(Prepared {
            source,
            readable,
            input,
            scores,
            score_inputs,
            judged,
            sorted,
            bad_rows,
            _directories: directories,
        })
    }
}

fn input_of(source: &dyn Source) -> Input {
    Input {
        uri: source.uri().to_owned(),
        version: None,
        fingerprint: source.fingerprint(),
        slices: Some(source.slices()),
    }
}

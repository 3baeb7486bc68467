//! Comparing recipes on stored rollouts: numbers, tables and a page.

mod heat_map;
mod json;
mod page;
mod plots;
mod sections;
mod tables;
mod tokens;

use std::sync::Arc;
use std::time::Instant;

use meed_catalog::Input;
use meed_connectors::Reject;
use meed_connectors::import::Tokenization;
use meed_operators::Result;
use meed_operators::judge::{Judge, JudgeContext, Tally};
use meed_pipelines::Recipe;
use meed_pipelines::comparison::{CompareJob, Comparison, compare};
use meed_pipelines::parameters::parse;
use serde_json::Value;

use crate::judging::Asked;
use crate::pipeline::{Pipeline, Prepared, refuse_other_kinds};
use crate::rejects::keep;
use crate::settings::settings_of;

/// How to compare, beyond what the pipeline says.
#[derive(Clone, Default)]
pub struct CompareOptions {
    /// Judges that are asked on the way; their scores are joined as signals and not stored.
    pub judges: Vec<Arc<dyn Judge>>,
    /// What the judges may ask.
    pub context: JudgeContext,
    /// How many contested rollouts to show.
    pub contested: usize,
    /// What reads token ids, where the data has no texts of tokens.
    pub tokenizer: Option<Tokenization>,
}

/// A recipe as it was compared.
#[derive(Debug, Clone)]
pub struct Compared {
    /// The recipe.
    pub recipe: Recipe,
    /// All its parameters.
    pub parameters: Value,
    /// What was set: parameters and bindings.
    pub settings: Vec<(String, Value)>,
}

/// How recipes differ on a dataset.
#[derive(Debug, Clone)]
pub struct ComparisonReport {
    /// The numbers; recipes and pairs are those of `recipes`.
    pub comparison: Comparison,
    /// What was compared.
    pub recipes: Vec<Compared>,
    /// The rollouts.
    pub input: Input,
    /// Stored scores that were joined.
    pub scores: Vec<Input>,
    /// Judges that were asked, with counts.
    pub judges: Vec<(String, Tally)>,
    /// Rows and lines that were left out because they break a rule.
    pub rejected: u64,
    /// The first of them.
    pub first_rejected: Vec<Reject>,
    /// Wall-clock time.
    pub seconds: f64,
    tokenizer: Option<Tokenization>,
}

impl Pipeline {
    /// Compares the recipes in place of storing what they assign; the target does not matter.
    ///
    /// ```
    /// use meed::prelude::*;
    /// use meed::CompareOptions;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let rollouts = folder.path().join("rollouts.jsonl");
    /// # let rollouts = rollouts.to_str().unwrap();
    /// # let row = |id: &str, reward: u8| format!("{{\"group_id\": \"g\", \"rollout_id\": \"{id}\", \"reward\": {reward}}}\n");
    /// # std::fs::write(rollouts, row("a", 1) + &row("b", 0) + &row("c", 0)).unwrap();
    /// let report = Pipeline::from(rollouts)?
    ///     .assign(recipe("grpo")?)
    ///     .assign(recipe("rloo")?)
    ///     .compare(CompareOptions::default())?;
    /// assert_eq!(report.comparison.pairs[0].levels[0].spearman, Some(1.0));
    /// # Ok::<(), meed::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Pipeline::run`], but for targets; judges that cannot be asked.
    pub fn compare(self, options: CompareOptions) -> Result<ComparisonReport> {
        let began = Instant::now();
        let chosen = settings_of(self.recipes.clone(), &self.settings)?;
        chosen.iter().try_for_each(|one| refuse_other_kinds(&one.recipe))?;
        self.run.options.check()?;
        let recipes = chosen.iter().map(|one| {
            let (parameters, _) = one.recipe.set(&one.settings)?;
            let (parameters, settings) = (parse(&parameters.json()), one.settings.clone());
            Ok(Compared { recipe: one.recipe, parameters, settings })
        });
        let recipes = recipes.collect::<Result<_>>()?;
        let asked = Asked { judges: &options.judges, context: &options.context };
        let prepared = self.prepare(&chosen, (!options.judges.is_empty()).then_some(asked))?;
        let Prepared { bad_rows, source, scores, .. } = &prepared;
        let job = CompareJob {
            recipes: chosen,
            source: source.clone(),
            scores: scores.clone(),
            on_error: bad_rows.on_invalid(),
            rejected: bad_rows.rejected.clone(),
            contested: options.contested,
        };
        let comparison = compare(job, &self.run.options);
        // What was left out is worth knowing also where the run broke off.
        let kept = keep(bad_rows.rejected.take(), &bad_rows.rejects);
        let comparison = comparison?;
        kept?;
        Ok(ComparisonReport {
            comparison,
            recipes,
            input: prepared.input,
            scores: prepared.score_inputs,
            judges: prepared.judged,
            rejected: prepared.bad_rows.rejects.count(),
            first_rejected: prepared.bad_rows.rejects.first(),
            seconds: began.elapsed().as_secs_f64(),
            tokenizer: options.tokenizer,
        })
    }
}

impl ComparisonReport {
    /// One warning per recipe that cannot produce signal on this data.
    pub fn warnings(&self) -> Vec<String> {
        let measured = self.recipes.iter().zip(&self.comparison.recipes);
        measured.filter_map(|(one, measures)| measures.summary.warning(one.recipe.name)).collect()
    }
}

impl std::fmt::Display for ComparisonReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Comparison { rollouts, groups, .. } = self.comparison;
        write!(f, "{rollouts} rollouts in {groups} groups, compared in {:.1} s", self.seconds)?;
        for (judge, tally) in &self.judges {
            let Tally { scores, no_opinion, .. } = tally;
            write!(f, "\n  {judge}: {scores} scores, {no_opinion} without an opinion")?;
            if tally.failed() > 0 {
                write!(f, ", {} failed", tally.failed())?;
            }
        }
        crate::report::write_rejected(f, self.rejected, &self.first_rejected)
    }
}

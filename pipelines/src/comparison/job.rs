//! Comparing recipes on stored rollouts, without storing anything.

use std::collections::BTreeSet;
use std::sync::Arc;

use meed_operators::columns::OnError;
use meed_operators::engine::{Observer, RunOptions, Source, execute};
use meed_operators::{Error, Result};

use super::contested::{Contested, Most, SHOWN};
use super::credits::LEVELS;
use super::measures::{Measures, Seen};
use super::observe::{First, OfFirst, Recipes, Second, found, seen};
use super::pairs::{LevelRanks, Pair, Products};
use crate::stored::{RecipeSettings, Rejected, ScoreIndex, gather_known, prepare, readable};

/// What to compare, on what.
pub struct CompareJob {
    /// The recipes.
    pub recipes: Vec<RecipeSettings>,
    /// Rollouts, clustered by (iteration, group_id).
    pub source: Arc<dyn Source>,
    /// Scores that are joined as signals; those of steps are shown with contested rollouts.
    pub scores: Option<Arc<ScoreIndex>>,
    /// What to do with rows that break an invariant.
    pub on_error: OnError,
    /// Where such rows go.
    pub rejected: Rejected,
    /// How many contested rollouts to return, at most one of a group.
    pub contested: usize,
}

/// How recipes differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Rollouts.
    pub rollouts: u64,
    /// Groups.
    pub groups: u64,
    /// Trainable tokens, steps with such tokens, and rollouts with such tokens, as in [`LEVELS`].
    pub elements: [u64; 3],
    /// Measures of each recipe, in the order of the job.
    pub recipes: Vec<Measures>,
    /// Agreement of each pair.
    pub pairs: Vec<Pair>,
    /// The most contested rollouts, the most contested first.
    pub contested: Vec<Contested>,
}

/// Compares recipes: assigns credit by all of them and keeps only what the numbers need.
///
/// # Errors
/// A recipe that does not fit the data (before anything is read); bad rows unless they are
/// skipped; faults of a recipe or the source, with their place.
pub fn compare(job: CompareJob, options: &RunOptions) -> Result<Comparison> {
    let source = readable(job.source.clone(), job.on_error, job.rejected, &job.scores)?;
    let quiet = readable(job.source, job.on_error, Rejected::default(), &job.scores)?;
    let schema = source.schema();
    let (ready, columns) = prepare(&job.recipes, &schema)?;
    let with = |more: &[&str]| -> Vec<String> {
        let keys = ["iteration", "group_id", "rollout_id", "token_mask", "step_ends"];
        let more = more.iter().chain(&keys).map(|name| (*name).to_owned());
        let all: BTreeSet<String> = columns.iter().cloned().chain(more).collect();
        all.into_iter().filter(|name| schema.column_with_name(name).is_some()).collect()
    };
    let scores: Vec<String> = match &job.scores {
        Some(scores) if job.contested > 0 => scores.names(),
        _ => Vec::new(),
    };
    let scores: Vec<String> = scores.into_iter().filter(|name| name.starts_with("step_")).collect();
    let first_columns = with(&[]);
    let second_columns = match job.contested {
        0 => first_columns.clone(),
        _ => with(&SHOWN.iter().copied().chain(scores.iter().map(String::as_str)).collect::<Vec<_>>()),
    };
    let (ready, count, limit) = (Arc::new(ready), job.recipes.len(), job.contested);
    let comparisons = execute(options, move |session| {
        let known = Arc::new(gather_known(session, &ready, &quiet, &columns)?);
        let recipes = Recipes { ready: ready.clone(), known };
        let first = recipes.clone();
        let make = move |_| -> Result<Box<dyn Observer>> {
            Ok(Box::new(First { recipes: first.clone(), seen: Seen::new(count) }))
        };
        let seen = seen(&session.gather(&source, &first_columns, &(Arc::new(make) as _))?, count)?;
        let ranks = (0..LEVELS.len()).map(|level| LevelRanks::new(&seen, level)).collect();
        let scales = seen.scales();
        let first = Arc::new(OfFirst { seen, scales, ranks, scores: scores.clone() });
        let of_second = first.clone();
        let make = move |_| -> Result<Box<dyn Observer>> {
            let (products, most) = (Products::new(count), Most::new(limit));
            Ok(Box::new(Second { recipes: recipes.clone(), first: of_second.clone(), products, most }))
        };
        let parts = session.gather(&quiet, &second_columns, &(Arc::new(make) as _))?;
        let (products, contested) = found(&parts, count, limit)?;
        let seen = &first.seen;
        Ok(Comparison {
            rollouts: seen.rollouts,
            groups: seen.groups,
            elements: seen.elements,
            recipes: seen.measures(),
            pairs: products.agreements(seen, &first.ranks),
            contested,
        })
    })?;
    comparisons.into_iter().next().ok_or_else(|| Error::usage("no worker ran", "use at least one worker"))
}

//! Assigning credit to stored rollouts, as a value that is built step by step and then run.

mod prepare;
mod run;

use std::sync::Arc;

use meed_operators::Result;
use meed_operators::engine::{Sink, Source};
use meed_pipelines::Recipe;
use meed_pipelines::recipe::ADVANTAGE;
use meed_pipelines::stored::RecipeSettings;
use serde_json::Value;

use crate::address::Address;
use crate::run_settings::{RunSettings, run_setters};
use crate::target::Target;

pub(crate) use prepare::Prepared;
pub(crate) use run::refuse_other_kinds;

/// Receives what a run has to say on the way, a line at a time.
pub type Notes = Arc<dyn Fn(&str) + Send + Sync>;

/// A pipeline over stored rollouts: from a dataset or file, through one or more recipes, to a
/// dataset or file. Nothing happens before [`Pipeline::run`].
///
/// ```
/// use meed::prelude::*;
/// # let folder = tempfile::tempdir().unwrap();
/// # let (rollouts, credit) = (folder.path().join("rollouts.jsonl"), folder.path().join("credit.parquet"));
/// # let (rollouts, credit) = (rollouts.to_str().unwrap(), credit.to_str().unwrap());
/// # std::fs::write(rollouts, "{\"group_id\": \"g\", \"rollout_id\": \"a\", \"reward\": 1}\n{\"group_id\": \"g\", \"rollout_id\": \"b\", \"reward\": 0}").unwrap();
/// const BEST: Recipe = Recipe {
///     name: "best",
///     title: "reward minus the best of the group",
///     plan: |_| Ok(Credit::new().advantage(signal("reward") - maximum(signal("reward"), group())).into()),
///     ..own_recipe()
/// };
///
/// let report = Pipeline::from(rollouts)?
///     .assign(recipe("grpo")?)
///     .assign(BEST)
///     .set("grpo.eps", 1e-4)
///     .to(credit)?
///     .workers(2)
///     .run()?;
/// assert_eq!(report.assigned.run.rows_out, 4);
/// # Ok::<(), meed::Error>(())
/// ```
pub struct Pipeline {
    from: Origin,
    to: Option<Target>,
    pub(crate) recipes: Vec<RecipeSettings>,
    pub(crate) settings: Vec<(String, Value)>,
    scores: Vec<Address>,
    new_run: bool,
    notes: Notes,
    pub(crate) run: RunSettings,
}

enum Origin {
    Address(Address),
    Source(Arc<dyn Source>),
}

/// A recipe of meed, by its name.
///
/// # Errors
/// A name that is none; the hint has the nearest ones.
pub fn recipe(name: &str) -> Result<Recipe> {
    meed_pipelines::find(name).copied()
}

/// The blank from which a recipe of one's own is made with struct update syntax; its plan refuses.
pub const fn own_recipe() -> Recipe {
    Recipe { name: "own", family: "own", ..ADVANTAGE }
}

/// The catalog that is used where none is named: `MEED_CATALOG`, or `./meed-data`.
pub fn default_catalog() -> String {
    std::env::var("MEED_CATALOG").unwrap_or_else(|_| "./meed-data".to_owned())
}

impl Pipeline {
    /// Begins with a dataset (`gsm8k`, `gsm8k@3`), a file, a directory of Parquet files or a URI.
    ///
    /// # Errors
    /// See [`Address::parse`]. Whether it exists is found out when the pipeline runs.
    pub fn from(dataset_or_file: &str) -> Result<Self> {
        Address::parse(dataset_or_file).map(|address| Self::begin(Origin::Address(address)))
    }

    /// Begins with a source of one's own, whose rows are clustered by (`iteration`, `group_id`).
    pub fn from_source(source: Arc<dyn Source>) -> Self {
        Self::begin(Origin::Source(source))
    }

    fn begin(from: Origin) -> Self {
        Pipeline {
            from,
            to: None,
            recipes: Vec::new(),
            settings: Vec::new(),
            scores: Vec::new(),
            new_run: false,
            notes: Arc::new(|_| ()),
            run: RunSettings::new("Pipeline::run"),
        }
    }

    /// Adds a recipe. The data is read once for all of them.
    pub fn assign(mut self, recipe: impl std::borrow::Borrow<Recipe>) -> Self {
        self.recipes.push(RecipeSettings::from(recipe.borrow()));
        self
    }

    /// Adds a recipe that is a credit program in text, under a name of its own; `docs/expressions.md`
    /// describes the language. Its rows carry the text in `parameters`.
    ///
    /// ```
    /// use meed::prelude::*;
    /// let pipeline = Pipeline::from("rollouts.parquet")?
    ///     .assign_program("centred", "advantage = reward - mean(reward, by(group))")?;
    ///
    /// let error = pipeline.assign_program("typo", "advantage = reward - mean(reward)").err().expect("an error");
    /// assert!(error.to_string().starts_with("line 1, column 33: expected `,`, found `)`"));
    /// # Ok::<(), meed::Error>(())
    /// ```
    ///
    /// # Errors
    /// A text that is no program or defines no advantage, with the place, and a name that is taken.
    pub fn assign_program(mut self, name: &str, program: &str) -> Result<Self> {
        self.recipes.push(RecipeSettings::program(name, program)?);
        Ok(self)
    }

    /// Sets a parameter: `key` of every recipe that has it, `recipe.key` of one. A key that is a
    /// signal which a recipe reads binds it to the signal that the value names.
    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.settings.push((key.to_owned(), value.into()));
        self
    }

    /// Joins stored scores onto the rollouts, as signals called `<judge>` at rollout level and
    /// `<level>_<judge>` elsewhere; a missing score is null. Of several scores the latest counts, in
    /// the order of commits, and of the tables that are named.
    ///
    /// The scores of all rollouts are held in memory.
    ///
    /// # Errors
    /// As [`Pipeline::from`].
    pub fn scores(mut self, dataset_or_file: &str) -> Result<Self> {
        self.scores.push(Address::parse(dataset_or_file)?);
        Ok(self)
    }

    /// Ends in a dataset or a file. The rows of dataset `x` go to the table `x_advantages`.
    ///
    /// # Errors
    /// As [`Pipeline::from`].
    pub fn to(mut self, dataset_or_file: &str) -> Result<Self> {
        self.to = Some(Target::Address(Address::parse(dataset_or_file)?));
        Ok(self)
    }

    /// Ends in a sink of one's own, which takes rows of the advantages table.
    pub fn sink(mut self, sink: Arc<dyn Sink>) -> Self {
        self.to = Some(Target::Sink(sink));
        self
    }

    /// Runs even if the same run is done, or was begun, and appends its rows.
    pub fn new_run(mut self, new_run: bool) -> Self {
        self.new_run = new_run;
        self
    }

    /// Who hears what a run does besides assigning: copying, sorting.
    pub fn notes(mut self, notes: Notes) -> Self {
        self.notes = notes;
        self
    }
}

run_setters!(Pipeline);

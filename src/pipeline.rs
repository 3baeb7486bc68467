//! Assigning credit to stored rollouts, as a value that is built step by step and then run.

use std::path::PathBuf;
use std::sync::Arc;

use meed_catalog::{Catalog, DatasetName, Input, Lineage, table_name};
use meed_connectors::parquet_source::SLICE_BYTES;
use meed_connectors::{Codec, FileSink, OnError, Rejects};
use meed_operators::columns::Table;
use meed_operators::engine::{Report, RunOptions, Sink, Source};
use meed_operators::{Error, Result};
use meed_pipelines::stored::{Accepted, AssignJob, RecipeSettings, Rejected, assign};
use meed_pipelines::{Kind, Recipe};
use serde_json::{Map, Value};

use crate::address::{Address, full_uri};
use crate::opened::Opened;
use crate::report::PipelineReport;
use crate::rejects::keep;
use crate::run_name::{run_name, salt};
use crate::settings::settings_of;
use crate::staged::BadRows;

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
    catalog: String,
    recipes: Vec<Recipe>,
    settings: Vec<(String, Value)>,
    options: RunOptions,
    slice_bytes: u64,
    on_error: OnError,
    rejects: Option<PathBuf>,
    new_run: bool,
    command: String,
    notes: Notes,
}

enum Origin {
    Address(Address),
    Source(Arc<dyn Source>),
}

enum Target {
    Address(Address),
    Sink(Arc<dyn Sink>),
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
    Recipe {
        name: "own",
        title: "",
        citation: "",
        family: "own",
        kind: Kind::Advantage,
        formula: "",
        fidelity: "",
        parameters: &[],
        plan: |_| Err(Error::usage("this recipe has no plan", "set `plan` to what builds its credit")),
    }
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
            catalog: default_catalog(),
            recipes: Vec::new(),
            settings: Vec::new(),
            options: RunOptions::default(),
            slice_bytes: SLICE_BYTES,
            on_error: OnError::Fail,
            rejects: None,
            new_run: false,
            command: "Pipeline::run".to_owned(),
            notes: Arc::new(|_| ()),
        }
    }

    /// The catalog of the datasets that are named.
    pub fn catalog(mut self, uri: &str) -> Self {
        self.catalog = uri.to_owned();
        self
    }

    /// Adds a recipe. The data is read once for all of them.
    pub fn assign(mut self, recipe: impl std::borrow::Borrow<Recipe>) -> Self {
        self.recipes.push(*recipe.borrow());
        self
    }

    /// Sets a parameter: `key` of every recipe that has it, `recipe.key` of one. A key that is a
    /// signal which a recipe reads binds it to the signal that the value names.
    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.settings.push((key.to_owned(), value.into()));
        self
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

    /// Number of worker threads.
    pub fn workers(mut self, workers: usize) -> Self {
        self.options.workers = workers;
        self
    }

    /// About what a slice takes in memory with all its columns; a slice is the unit of work and of
    /// commits, and every worker holds one or two. It has no influence on the numbers.
    pub fn slice_bytes(mut self, bytes: u64) -> Self {
        self.slice_bytes = bytes;
        self
    }

    /// Timely's own options, such as `-n 2 -p 0` for the first of two processes.
    pub fn timely(mut self, arguments: Vec<String>) -> Self {
        self.options.timely = arguments;
        self
    }

    /// What to do with rows that break an invariant; by default they end the run.
    pub fn on_error(mut self, on_error: OnError) -> Self {
        self.on_error = on_error;
        self
    }

    /// Writes skipped rows to a file of JSON Lines.
    pub fn rejects(mut self, path: impl Into<PathBuf>) -> Self {
        self.rejects = Some(path.into());
        self
    }

    /// Runs even if the same run is done, or was begun, and appends its rows.
    pub fn new_run(mut self, new_run: bool) -> Self {
        self.new_run = new_run;
        self
    }

    /// What lineage calls the command.
    pub fn command(mut self, command: &str) -> Self {
        self.command = command.to_owned();
        self
    }

    /// Who hears what a run does besides assigning: copying, sorting.
    pub fn notes(mut self, notes: Notes) -> Self {
        self.notes = notes;
        self
    }

    /// Who hears of progress.
    pub fn progress(mut self, progress: Report) -> Self {
        self.options.progress = Some(progress);
        self
    }

    /// Assigns credit: one row per rollout and recipe.
    ///
    /// The rows of a dataset are committed exactly once, however often the run is repeated: after a
    /// crash it goes on where it stopped, and when it is done it says so and writes nothing.
    ///
    /// # Errors
    /// Usage: unknown parameters, no target, a target that is the input. Data: a column that a
    /// recipe needs is missing, rows that break an invariant. Anything that fails on the way.
    pub fn run(self) -> Result<PipelineReport> {
        let chosen = settings_of(&self.recipes, &self.settings)?;
        for one in &chosen {
            refuse_other_kinds(&one.recipe)?;
        }
        self.options.check()?;
        let target = self.to.as_ref().ok_or_else(|| {
            Error::usage("the pipeline has no target", "name a dataset or file with `to`")
        })?;
        let bad_rows = BadRows {
            on_error: self.on_error,
            rejects: self.rejects.as_ref().map_or_else(Rejects::default, Rejects::into_file),
            rejected: Rejected::default(),
        };
        let ready = |source: &Arc<dyn Source>| -> Result<()> {
            let schema = Accepted::new(source.clone(), bad_rows.on_invalid(), Rejected::default())?.schema();
            let fits = |one: &RecipeSettings| one.recipe.assignment(&one.settings, &schema).map(|_| ());
            chosen.iter().try_for_each(fits)
        };
        let mut sorted = None;
        let (source, input, _files): (Arc<dyn Source>, Input, _) = match &self.from {
            Origin::Source(source) => {
                ready(source)?;
                (source.clone(), input_of(source.as_ref()), Vec::new())
            }
            Origin::Address(address) => {
                refuse_target(address, target)?;
                let catalog = Catalog::open(&self.catalog)?;
                let mut opened = Opened::open(address, &catalog, self.slice_bytes, &bad_rows, &*self.notes)?;
                let unsorted: Arc<dyn Source> = opened.source.clone();
                ready(&unsorted)?;
                sorted = opened.cluster(&*self.notes)?;
                (opened.source.clone(), opened.input(), opened.directories)
            }
        };
        let lineage = self.lineage(&chosen, input, target)?;
        let run = lineage.run.clone();
        let is_dataset = matches!(target, Target::Address(Address::Dataset(_)));
        let (sink, target) = self.open_target(target, lineage)?;
        let slices = source.slices();
        if is_dataset && slices > 0 && sink.committer()?.resume_at()? >= slices {
            return Ok(PipelineReport::done_before(run, target, sorted));
        }
        let (on_error, rejected) = (bad_rows.on_invalid(), bad_rows.rejected.clone());
        let job = AssignJob { recipes: chosen, source, sink, on_error, rejected };
        let assigned = assign(job, &self.options);
        // What was left out is worth knowing also where the run broke off.
        let kept = keep(bad_rows.rejected.take(), &bad_rows.rejects);
        let assigned = assigned?;
        kept?;
        Ok(PipelineReport {
            run,
            target,
            done_before: false,
            assigned,
            sorted,
            rejected: bad_rows.rejects.count(),
            first_rejected: bad_rows.rejects.first(),
        })
    }

    fn lineage(&self, chosen: &[RecipeSettings], input: Input, target: &Target) -> Result<Lineage> {
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
        let to = match target {
            Target::Address(Address::File(location)) => full_uri(location),
            Target::Address(Address::Dataset(name)) => format!("{} {name}", self.catalog),
            Target::Sink(sink) => sink.uri().to_owned(),
        };
        let salt = salt(self.new_run);
        let on_error = format!("{:?}", self.on_error);
        let parts = ["assign", &input.uri, &input.fingerprint, &parameters.to_string(), &to, &on_error, &salt];
        Ok(Lineage {
            run: run_name(parts),
            command: self.command.clone(),
            recipes: chosen.iter().map(|one| one.recipe.name.to_owned()).collect(),
            parameters,
            inputs: vec![input],
            code_version: env!("CARGO_PKG_VERSION").to_owned(),
        })
    }

    /// The sink of a target, and what to call it.
    fn open_target(&self, target: &Target, lineage: Lineage) -> Result<(Arc<dyn Sink>, String)> {
        Ok(match target {
            Target::Sink(sink) => (sink.clone(), sink.uri().to_owned()),
            Target::Address(Address::File(location)) => {
                let format = location.format()?;
                let schema = Table::Advantages.schema();
                let sink = FileSink::new(location.clone(), format, schema, Codec::default());
                (Arc::new(sink.with_run(&lineage.run)), location.uri().to_owned())
            }
            Target::Address(Address::Dataset(name)) => {
                let table = advantages_table(&name.name);
                let to = DatasetName { name: table.clone(), version: name.version };
                let catalog = Catalog::open(&self.catalog)?;
                let sink = catalog.sink(&to.to_string(), Table::Advantages, lineage)?;
                (Arc::new(sink), format!("dataset {table}"))
            }
        })
    }
}

/// The table of a dataset's advantages; a name that is one already stays.
fn advantages_table(name: &str) -> String {
    let suffix = table_name("", Table::Advantages);
    match name.ends_with(&suffix) {
        true => name.to_owned(),
        false => table_name(name, Table::Advantages),
    }
}

fn refuse_other_kinds(recipe: &Recipe) -> Result<()> {
    match recipe.kind {
        Kind::Advantage => Ok(()),
        kind => Err(Error::usage(
            format!("recipe {} gives a {}, not an advantage", recipe.name, kind.name()),
            "`meed recipes` says what each one gives",
        )),
    }
}

/// A target must be a file of a known format, and another one than the input.
fn refuse_target(from: &Address, to: &Target) -> Result<()> {
    let Target::Address(Address::File(to)) = to else {
        return Ok(());
    };
    to.format()?;
    match from {
        Address::File(from) if full_uri(from) == full_uri(to) => Err(Error::usage(
            format!("{} is both read and written", from.uri()),
            "write the advantages to another file; they refer to rollouts by id",
        )),
        _ => Ok(()),
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

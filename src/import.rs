//! Importing what other programs wrote, as a value that is built step by step and then run.

mod staging;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use meed_catalog::{Input, Lineage, Sorted};
use meed_connectors::import::{ImportOptions, Importer, Tokenization, importer};
use meed_connectors::{Location, OnError, Reject, Rejects};
use meed_operators::columns::Table;
use meed_operators::engine::{Sink, Source, Tables, rows_of};
use meed_operators::{Error, Result};
use staging::{Staged, StagedTable};

use crate::address::{Address, full_uri};
use crate::fingerprint;
use crate::pipeline::{Notes, default_catalog};
use crate::report::write_rejected;
use crate::run_name::{run_name, salt};
use crate::target::{beside, sink};

/// Files of one format on their way into a dataset or file. Nothing happens before [`Import::run`].
pub struct Import {
    importer: &'static dyn Importer,
    inputs: Vec<Location>,
    to: Option<Address>,
    catalog: String,
    options: ImportOptions,
    tokenizer: Option<PathBuf>,
    new_run: bool,
    command: String,
    notes: Notes,
    progress: Arc<dyn Fn(u64) + Send + Sync>,
}

impl Import {
    /// Begins with files of a format: paths, directories of Parquet files, patterns or URIs.
    ///
    /// # Errors
    /// A format that no importer reads, or a path at which nothing is.
    pub fn from<'a>(format: &str, paths: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let importer = importer(format)?;
        let mut inputs = Vec::new();
        for path in paths {
            inputs.extend(Location::parse(path)?.files()?);
        }
        Ok(Import {
            importer,
            inputs,
            to: None,
            catalog: default_catalog(),
            options: ImportOptions::default(),
            tokenizer: None,
            new_run: false,
            command: "Import::run".to_owned(),
            notes: Arc::new(|_| ()),
            progress: Arc::new(|_| ()),
        })
    }

    /// Ends in a dataset or a file. What a format has beside rollouts goes to a dataset or file of its own:
    /// the nodes of trees to `x_nodes`, or to `x_nodes.parquet` beside `x.parquet`.
    ///
    /// # Errors
    /// A name that no dataset can have, an old version, or a file of an unknown format.
    pub fn to(mut self, dataset_or_file: &str) -> Result<Self> {
        let to = Address::parse(dataset_or_file)?;
        if let Address::File(location) = &to {
            location.format()?;
        }
        self.to = Some(to);
        Ok(self)
    }

    /// The catalog of the dataset.
    pub fn catalog(mut self, uri: &str) -> Self {
        self.catalog = uri.to_owned();
        self
    }

    /// Tokenises text with a `tokenizer.json`, in place of one token per byte.
    ///
    /// # Errors
    /// A file that cannot be read or is no tokenizer.
    pub fn tokenizer(mut self, path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        self.options.tokenizer = Tokenization::from_file(&path)?;
        self.tokenizer = Some(path);
        Ok(self)
    }

    /// Policy version of the rollouts, where the files do not say.
    pub fn iteration(mut self, iteration: i64) -> Self {
        self.options.iteration = iteration;
        self
    }

    /// What to do with bad rows; by default they end the import.
    pub fn on_error(mut self, on_error: OnError) -> Self {
        self.options.on_error = on_error;
        self
    }

    /// Writes skipped rows to a file of JSON Lines.
    pub fn rejects(mut self, path: impl AsRef<Path>) -> Self {
        self.options.rejects = Rejects::into_file(path);
        self
    }

    /// Imports even if the same import is done, and appends its rows.
    pub fn new_run(mut self, new_run: bool) -> Self {
        self.new_run = new_run;
        self
    }

    /// What lineage calls the command.
    pub fn command(mut self, command: &str) -> Self {
        self.command = command.to_owned();
        self
    }

    /// Who hears what an import does besides reading: sorting.
    pub fn notes(mut self, notes: Notes) -> Self {
        self.notes = notes;
        self
    }

    /// Who hears how many more rows were read.
    pub fn progress(mut self, progress: Arc<dyn Fn(u64) + Send + Sync>) -> Self {
        self.progress = progress;
        self
    }

    /// Reads, checks and writes all rows, the rows of a group together. A dataset gets them in one
    /// commit, once: the same files, options and dataset again are nothing to do.
    ///
    /// # Errors
    /// No target; bad rows, unless they are skipped; files that cannot be read or written.
    pub fn run(self) -> Result<ImportedReport> {
        let begin = Instant::now();
        let to = self
            .to
            .as_ref()
            .ok_or_else(|| Error::usage("the import has no target", "name a dataset or file with `to`"))?;
        let lineage = match to {
            Address::Dataset(_) => self.lineage(to)?,
            // A file has no history; the name tells its parts from those of other programs.
            Address::File(_) => {
                Lineage { run: format!("import-{}", std::process::id()), ..Lineage::default() }
            }
        };
        let target = |table| match table {
            Table::Rollouts => Ok(to.clone()),
            table => beside(to, table),
        };
        if let Address::Dataset(_) = to {
            let (sink, name) =
                sink(to, &self.catalog, Table::Rollouts, Table::Rollouts.schema(), lineage.clone())?;
            if sink.committer()?.resume_at()? > 0 {
                return Ok(ImportedReport { target: name, done_before: true, ..ImportedReport::default() });
            }
        }
        // Groups may be spread over the files, so rows are written once all of them are known.
        let imported = self.importer.import(&self.inputs, &self.options)?;
        let mut staged = Staged::new(imported.schema, self.importer.tables())?;
        for batch in imported.batches {
            let batch = batch?;
            if !Staged::is_beside(&batch) {
                (self.progress)(batch.num_rows() as u64);
            }
            staged.write(batch)?;
        }
        let (tables, sorted) = staged.finish(&*self.notes)?;
        let mut report = ImportedReport { sorted, ..ImportedReport::default() };
        let mut sinks: Vec<(Table, Arc<dyn Sink>)> = Vec::new();
        for staged in &tables {
            let (address, schema) = (target(staged.table)?, staged.source.schema());
            let (sink, name) = sink(&address, &self.catalog, staged.table, schema, lineage.clone())?;
            match staged.table {
                Table::Rollouts => report.target = name,
                table => report.beside.push((table, staged.source.row_count(), name)),
            }
            sinks.push((staged.table, sink));
        }
        write(&Tables::new(sinks)?, &tables)?;
        let done = imported.report.get();
        report.rows = done.rows;
        report.rejected = done.rejected_rows;
        report.first_rejected = done.rejected;
        report.unmapped = done.unmapped;
        report.seconds = begin.elapsed().as_secs_f64();
        Ok(report)
    }

    fn lineage(&self, to: &Address) -> Result<Lineage> {
        let mut inputs = Vec::new();
        for input in self.inputs.iter() {
            inputs.push(Input {
                uri: full_uri(input),
                version: None,
                fingerprint: fingerprint::of_file(input)?,
                slices: None,
            });
        }
        let tokenizer = match &self.tokenizer {
            Some(path) => fingerprint::of_file(&Location::parse(&path.display().to_string())?)?,
            None => "bytes".to_owned(),
        };
        let options = serde_json::json!({
            "format": self.importer.name(),
            "tokenizer": tokenizer,
            "iteration": self.options.iteration,
            "on_error": match self.options.on_error { OnError::Fail => "fail", OnError::Skip => "skip" },
        });
        let (options_text, to) = (options.to_string(), format!("{} {to}", self.catalog));
        let salt = salt(self.new_run);
        let files = inputs.iter().flat_map(|input| [input.uri.as_str(), &input.fingerprint]);
        let parts = ["import", &options_text, &to, &salt].into_iter().chain(files);
        Ok(Lineage {
            run: run_name(parts),
            command: self.command.clone(),
            recipes: Vec::new(),
            parameters: options,
            inputs,
            code_version: env!("CARGO_PKG_VERSION").to_owned(),
        })
    }
}

/// Writes and commits the rows of all tables; those of rollouts are committed last, so that whoever finds
/// them finds everything.
fn write(sink: &Tables, tables: &[StagedTable]) -> Result<()> {
    let (mut committer, mut writer) = (sink.committer()?, sink.writer(0)?);
    committer.resume_at()?;
    for staged in tables {
        for batch in staged.rows()? {
            writer.write(0, rows_of(staged.table, &batch?)?)?;
        }
    }
    committer.commit(0..=0, writer.close(0)?)?;
    committer.finish()
}

/// What [`Import::run`] did.
#[derive(Debug, Clone, Default)]
pub struct ImportedReport {
    /// Where the rows are.
    pub target: String,
    /// True where an earlier import had done everything, so that nothing was read or written.
    pub done_before: bool,
    /// Rows imported.
    pub rows: u64,
    /// Rows of other tables, such as the nodes of trees: which, how many, and where they are.
    pub beside: Vec<(Table, u64, String)>,
    /// Rows left out because they break a rule.
    pub rejected: u64,
    /// The first of them.
    pub first_rejected: Vec<Reject>,
    /// What the files hold and no column takes, with how often it was met.
    pub unmapped: BTreeMap<String, u64>,
    /// What sorting cost, where the rows of a group did not lie together.
    pub sorted: Option<Sorted>,
    /// Wall time.
    pub seconds: f64,
}

impl fmt::Display for ImportedReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.done_before {
            return write!(
                f,
                "{} has the rows of these files already: nothing to do (--new-run appends them again)",
                self.target
            );
        }
        let rate = self.rows as f64 / self.seconds.max(1e-9);
        write!(
            f,
            "{} rows imported to {} in {:.1} s ({rate:.0} rows/s), {} rejected",
            self.rows, self.target, self.seconds, self.rejected
        )?;
        for (table, rows, target) in &self.beside {
            write!(f, "\n{rows} {} written to {target}", table.name())?;
        }
        for (what, times) in &self.unmapped {
            write!(f, "\nnot mapped: {what} ({times} times)")?;
        }
        write_rejected(f, self.rejected, &self.first_rejected)
    }
}

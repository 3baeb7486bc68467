//! Importing what other programs wrote, as a value that is built step by step and then run.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use meed_catalog::{Catalog, Input, Lineage, Sorted};
use meed_connectors::import::{ImportOptions, Importer, Tokenization, importer};
use meed_connectors::parquet_source::SLICE_BYTES;
use meed_connectors::{Location, OnError, Reject, Rejects, write_batches};
use meed_operators::columns::Table;
use meed_operators::engine::{Batches, Sink, Source};
use meed_operators::{Error, Result};

use crate::address::{Address, full_uri};
use crate::fingerprint;
use crate::opened::Opened;
use crate::pipeline::{Notes, default_catalog};
use crate::report::write_rejected;
use crate::run_name::{run_name, salt};
use crate::staged::{self, temporary};

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

    /// Ends in a dataset or a file.
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
        let sink = match to {
            Address::File(_) => None,
            Address::Dataset(name) => {
                let catalog = Catalog::open(&self.catalog)?;
                Some(catalog.sink(&name.to_string(), Table::Rollouts, self.lineage(to)?)?)
            }
        };
        let target = match to {
            Address::Dataset(name) => format!("dataset {name}"),
            Address::File(location) => location.uri().to_owned(),
        };
        let mut report = ImportedReport { target, ..ImportedReport::default() };
        if let Some(sink) = &sink
            && sink.committer()?.resume_at()? > 0
        {
            report.done_before = true;
            return Ok(report);
        }
        // Groups may be spread over the files, so rows are written once all of them are known.
        let directory = temporary()?;
        let path = directory.path().join("imported.parquet");
        let imported = self.importer.import(&self.inputs, &self.options)?;
        let progress = self.progress.clone();
        let counted = imported.batches.inspect(|batch| {
            if let Ok(batch) = batch {
                progress(batch.num_rows() as u64);
            }
        });
        staged::write(&path, &imported.schema, counted)?;
        let mut opened = Opened::local(path, "the imported rows", "", SLICE_BYTES)?;
        report.sorted = opened.cluster(&*self.notes)?;
        let schema = opened.source.schema();
        let columns: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
        let rows = opened.source.read_rows(0..opened.source.row_count(), &columns)?;
        match (to, sink) {
            (Address::File(location), _) => {
                write_batches(location, location.format()?, &schema, rows)?;
            }
            (_, Some(sink)) => write(&sink, rows)?,
            (_, None) => {}
        }
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

/// Writes and commits all rows at once.
fn write(sink: &dyn Sink, rows: Batches) -> Result<()> {
    let (mut committer, mut writer) = (sink.committer()?, sink.writer(0)?);
    for batch in rows {
        writer.write(0, batch?)?;
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
        for (what, times) in &self.unmapped {
            write!(f, "\nnot mapped: {what} ({times} times)")?;
        }
        write_rejected(f, self.rejected, &self.first_rejected)
    }
}

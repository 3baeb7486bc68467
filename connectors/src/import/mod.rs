//! Importers: what other programs wrote, as rollouts.
//!
//! ```
//! use meed_connectors::Location;
//! use meed_connectors::import::{ImportOptions, importer};
//!
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("solutions.jsonl");
//! # let path = path.to_str().unwrap();
//! # std::fs::write(path, r#"{"question": "1 + 1?", "ground_truth": "A: 2",
//! # "small": {"is_correct": true, "solution": "1 + 1 = <<1+1=2>>2\nA: 2"}}"#.replace('\n', "")).unwrap();
//! let imported = importer("gsm8k")?.import(&[Location::parse(path)?], &ImportOptions::default())?;
//! for batch in imported.batches {
//!     assert_eq!(batch?.num_rows(), 1);
//! }
//! assert_eq!(imported.report.get().rows, 1);
//! # Ok::<(), meed_operators::Error>(())
//! ```

mod add_tokens;
mod chat;
mod course;
mod gsm8k;
mod imported;
mod intercode;
mod json_file;
mod jsonl;
mod lines;
mod nodes;
mod parquet;
mod rollout;
mod rows;
mod stored;
mod tau_bench;
mod tokenize;
mod toolbench;
mod tot;

use meed_operators::columns::Table;
use meed_operators::{Error, Result};

use crate::rejects::{OnError, Rejects};
use crate::store::Location;

pub use chat::canonical_call;
pub use gsm8k::Gsm8k;
pub use imported::{BadRow, Found, ImportReport, Imported, ReportHandle};
pub use intercode::InterCode;
pub use jsonl::JsonLines;
pub use nodes::{Node, node_rows, path_to};
pub use parquet::Parquet;
pub use rollout::{Rollout, Step};
pub use rows::RowBuilder;
pub use tau_bench::TauBench;
pub use tokenize::Tokenization;
pub use toolbench::ToolBench;
pub use tot::Tot;

/// Every importer; help and documentation are generated from this list.
pub const IMPORTERS: &[&dyn Importer] =
    &[&Gsm8k, &TauBench, &InterCode, &Tot, &ToolBench, &JsonLines, &Parquet];

/// Reads the files of one format as rollouts.
pub trait Importer: Sync {
    /// Name on the command line.
    fn name(&self) -> &'static str;

    /// What it reads, in a few words.
    fn reads(&self) -> &'static str;

    /// How the format is mapped to rollouts.
    fn describe(&self) -> &'static str;

    /// What of the format it does not map, as the end of a sentence.
    fn leaves_out(&self) -> &'static str;

    /// The tables of which it gives rows beside rollouts.
    fn tables(&self) -> &'static [Table] {
        &[]
    }

    /// Reads the inputs, in order, as rows of `rollouts`. An input is one file ([`Location::files`]
    /// finds those of a pattern).
    ///
    /// A bad row ends the import or is set aside with its reason, as the options say; a file that
    /// cannot be read always ends it. Errors arise while the batches are read.
    ///
    /// # Errors
    /// Inputs that this importer cannot begin with.
    fn import(&self, inputs: &[Location], options: &ImportOptions) -> Result<Imported>;
}

/// The importer of a name.
///
/// # Errors
/// A name that no importer has; the hint lists those that exist.
pub fn importer(name: &str) -> Result<&'static dyn Importer> {
    let found = IMPORTERS.iter().find(|importer| importer.name() == name);
    found.copied().ok_or_else(|| {
        let names: Vec<&str> = IMPORTERS.iter().map(|importer| importer.name()).collect();
        Error::usage(format!("there is no importer `{name}`"), format!("choose one of {}", names.join(", ")))
    })
}

/// How to import.
#[derive(Debug, Clone)]
pub struct ImportOptions {
    /// How text becomes tokens.
    pub tokenizer: Tokenization,
    /// What happens to bad rows.
    pub on_error: OnError,
    /// Where bad rows go that are left out. Imports that share it share their counts.
    pub rejects: Rejects,
    /// Policy version of the rollouts.
    pub iteration: i64,
    /// Rows in a batch at most; a batch of very long rollouts ends earlier.
    pub batch_rows: usize,
}

impl Default for ImportOptions {
    fn default() -> Self {
        ImportOptions {
            tokenizer: Tokenization::default(),
            on_error: OnError::default(),
            rejects: Rejects::default(),
            iteration: 0,
            batch_rows: 1024,
        }
    }
}

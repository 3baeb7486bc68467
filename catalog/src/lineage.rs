//! Where rows come from: what every commit says about itself.

use meed_operators::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Key of meed's part in the commit information of Delta.
pub(crate) const COMMIT_KEY: &str = "meed";
/// Table property that names the kind of rows.
pub(crate) const TABLE_PROPERTY: &str = "meed.table";
/// Table property, and key in commits, that says by which columns rows lie together.
pub(crate) const CLUSTERED_PROPERTY: &str = "meed.clusteredBy";
/// Its value for the order that credit needs.
pub(crate) const CLUSTERED_BY_GROUP: &str = "iteration,group_id";

/// A dataset or file that a run read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// A file, a URI, or `dataset@version`.
    pub uri: String,
    /// Version of the dataset, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// Changes when the content changes.
    #[serde(default)]
    pub fingerprint: String,
    /// Number of slices that the run cut it into; fixes the meaning of its epochs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slices: Option<u64>,
}

/// What made the rows of a commit. Stored as JSON in the commit information.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Lineage {
    /// Name of the run: a hash of command, source, recipes, parameters and target. Also the
    /// application id of its transactions, so the same run never writes an epoch twice.
    pub run: String,
    /// The command, as it was given.
    pub command: String,
    /// Recipes or judges that made the rows.
    #[serde(default)]
    pub recipes: Vec<String>,
    /// Parameters of the recipes: a JSON object by recipe.
    #[serde(default)]
    pub parameters: Value,
    /// What was read.
    #[serde(default)]
    pub inputs: Vec<Input>,
    /// Version of meed.
    pub code_version: String,
}

impl Lineage {
    /// Refuses to continue a run whose inputs are not the ones it began with.
    ///
    /// # Errors
    /// An input that is missing, is new, or has another fingerprint or number of slices.
    pub(crate) fn continues(&self, begun: &Lineage, dataset: &str) -> Result<()> {
        let changed = self.inputs.len() != begun.inputs.len()
            || self.inputs.iter().zip(&begun.inputs).any(|(now, then)| {
                now.uri != then.uri
                    || now.fingerprint != then.fingerprint
                    || (now.slices.is_some() && then.slices.is_some() && now.slices != then.slices)
            });
        if !changed {
            return Ok(());
        }
        let names = |lineage: &Lineage| {
            let uris: Vec<&str> = lineage.inputs.iter().map(|input| input.uri.as_str()).collect();
            uris.join(", ")
        };
        Err(Error::usage(
            format!(
                "run {} of dataset {dataset} began with {} and cannot continue with {}, whose content or cut into slices differs",
                self.run,
                names(begun),
                names(self)
            ),
            "start another run with `--new-run`, or give the input that the run began with",
        ))
    }
}

//! What a commit consists of: receipts of written files, the schema they need, and the metadata.

use deltalake_core::kernel::{Add, MetadataExt, StructField, StructType};
use deltalake_core::kernel::{Metadata, engine::arrow_conversion::TryIntoKernel};
use meed_operators::engine::Receipt;
use meed_operators::{Error, Place, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::delta_sink::Target;
use crate::lineage::{CLUSTERED_BY_GROUP, CLUSTERED_PROPERTY, COMMIT_KEY, TABLE_PROPERTY};

/// A file that was written and waits to be committed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Written {
    pub(crate) epoch: u64,
    pub(crate) rows: u64,
    pub(crate) schema: StructType,
    pub(crate) add: Add,
}

impl Written {
    /// Itself as text, for the way from the writer to the committer.
    pub(crate) fn receipt(&self) -> Result<Receipt> {
        serde_json::to_string(self)
            .map_err(|error| Error::external("writing a receipt", error, "please report this"))
    }

    /// The file that a receipt stands for.
    pub(crate) fn parse(receipt: &Receipt) -> Result<Self> {
        serde_json::from_str(receipt).map_err(|error| {
            Error::external(
                "reading a receipt",
                error,
                "writers and committer must be the same version of meed",
            )
        })
    }
}

impl Target {
    /// Columns of a new dataset: those of its kind, with what they mean.
    pub(crate) fn first_schema(&self) -> Result<StructType> {
        let schema: StructType = self
            .table
            .schema()
            .as_ref()
            .try_into_kernel()
            .map_err(|error| Error::external(self.doing("creating"), error, "please report this"))?;
        let fields = schema.fields().cloned().map(|field| match self.table.column(field.name()) {
            Some(column) => field.with_metadata([("comment", column.meaning)]),
            None => field,
        });
        self.schema_of(fields)
    }

    /// Properties of a new dataset. The log is kept for ever: it is the lineage.
    pub(crate) fn properties(&self) -> [(String, Option<String>); 3] {
        let clustered = if self.clustered { CLUSTERED_BY_GROUP } else { "" };
        [
            (TABLE_PROPERTY.to_owned(), Some(self.table.name().to_owned())),
            (CLUSTERED_PROPERTY.to_owned(), Some(clustered.to_owned())),
            ("delta.enableExpiredLogCleanup".to_owned(), Some("false".to_owned())),
        ]
    }

    /// The metadata that the files need, where it differs from what the dataset has.
    ///
    /// # Errors
    /// A column that has one type in the dataset or one file, and another type in another file.
    pub(crate) fn changed_metadata(
        &self,
        schema: &StructType,
        metadata: &Metadata,
        files: &[Written],
    ) -> Result<Option<Metadata>> {
        let mut fields: Vec<StructField> = schema.fields().cloned().collect();
        let before = fields.len();
        for file in files {
            for field in file.schema.fields() {
                match fields.iter().find(|known| known.name() == field.name()) {
                    None => fields.push(StructField::nullable(field.name(), field.data_type().clone())),
                    Some(known) if known.data_type() == field.data_type() => {}
                    Some(known) => {
                        return Err(Error::data(
                            Place::file(self.dataset.as_str()).column(field.name()),
                            format!(
                                "epoch {} has type {}, the dataset or another worker has {}",
                                file.epoch,
                                field.data_type(),
                                known.data_type()
                            ),
                            "convert the column to one type, or write it under another name",
                        ));
                    }
                }
            }
        }
        let mut changed = None;
        let failed = |error: deltalake_core::kernel::Error| {
            Error::external(self.doing("changing the columns of"), error, "please report this")
        };
        if fields.len() > before {
            let wider = self.schema_of(fields)?;
            changed = Some(metadata.clone().with_schema(&wider).map_err(failed)?);
        }
        let promised = metadata.configuration().get(CLUSTERED_PROPERTY);
        if !self.clustered && promised.is_some_and(|by| by == CLUSTERED_BY_GROUP) {
            let metadata = changed.unwrap_or_else(|| metadata.clone());
            let withdrawn = metadata.add_config_key(CLUSTERED_PROPERTY.to_owned(), String::new());
            changed = Some(withdrawn.map_err(failed)?);
        }
        Ok(changed)
    }

    /// What the commit says about itself.
    pub(crate) fn commit_info(&self, epochs: Option<(u64, u64)>, rows: u64) -> (String, Value) {
        let mut info = json!({ "lineage": self.lineage, "rows": rows });
        if let Some((first, last)) = epochs {
            info["firstEpoch"] = json!(first);
            info["lastEpoch"] = json!(last);
        }
        if self.clustered {
            info[CLUSTERED_PROPERTY] = json!(CLUSTERED_BY_GROUP);
        }
        (COMMIT_KEY.to_owned(), info)
    }

    /// What meed is doing to the dataset, for messages.
    pub(crate) fn doing(&self, verb: &str) -> String {
        format!("{verb} dataset {} in {}", self.dataset, self.store.uri())
    }

    fn schema_of(&self, fields: impl IntoIterator<Item = StructField>) -> Result<StructType> {
        StructType::try_new(fields).map_err(|error| {
            Error::external(
                self.doing("describing the columns of"),
                error,
                "column names must differ, also when case is ignored",
            )
        })
    }
}

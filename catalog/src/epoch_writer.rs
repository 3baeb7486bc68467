//! Writes the rows of epochs as Parquet files beside a Delta table, unseen until they are committed.

use std::collections::BTreeMap;
use std::sync::Arc;

use deltalake_core::Path;
use deltalake_core::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake_core::kernel::{Add, StructType};
use meed_operators::engine::{EpochWriter, Receipt};
use meed_operators::{Error, Result};
use object_store::ObjectStoreExt;
use object_store::buffered::BufWriter;

use crate::arrow::array::RecordBatch;
use crate::arrow::datatypes::SchemaRef;
use crate::commit::Written;
use crate::conform::conform;
use crate::delta_sink::Target;
use crate::errors::store_error;
use crate::parquet::arrow::AsyncArrowWriter;
use crate::parquet::basic::{Compression, ZstdLevel};
use crate::parquet::file::properties::WriterProperties;
use crate::runtime::block_on;
use crate::statistics::statistics;

/// A file is ended when it has grown to this many bytes.
const FILE_BYTES: usize = 256 << 20;
/// Rows and bytes of a row group: what a reader holds in memory at a time.
const GROUP_ROWS: usize = 4096;
const GROUP_BYTES: usize = 16 << 20;

/// How meed's Parquet files are written, here and where a dataset is sorted.
pub(crate) fn properties() -> WriterProperties {
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_max_row_group_bytes(Some(GROUP_BYTES))
        .set_created_by(format!("meed {}", env!("CARGO_PKG_VERSION")))
        .build()
}

/// The files of one worker.
pub(crate) struct DeltaEpochWriter {
    target: Arc<Target>,
    worker: usize,
    epochs: BTreeMap<u64, OpenEpoch>,
}

#[derive(Default)]
struct OpenEpoch {
    file: Option<OpenFile>,
    receipts: Vec<Receipt>,
}

struct OpenFile {
    name: String,
    path: Path,
    schema: SchemaRef,
    writer: AsyncArrowWriter<BufWriter>,
}

impl DeltaEpochWriter {
    pub(crate) fn new(target: Arc<Target>, worker: usize) -> Self {
        DeltaEpochWriter { target, worker, epochs: BTreeMap::new() }
    }
}

impl Target {
    /// Starts file number `part` of an epoch. Its name sorts by epoch, worker and number, which is
    /// the order in which readers see files of one commit; the last part keeps a second attempt
    /// from writing over the first.
    fn create(&self, epoch: u64, worker: usize, part: usize, schema: SchemaRef) -> Result<OpenFile> {
        let run: String = self.lineage.run.chars().filter(char::is_ascii_alphanumeric).take(16).collect();
        let attempt = uuid::Uuid::new_v4().simple().to_string();
        let name = format!("{run}-{epoch:012}-{worker:05}-{part:05}-{}.parquet", &attempt[..12]);
        let path = self.store.directory(&self.dataset).join(name.as_str());
        let object = BufWriter::new(self.store.objects().clone(), path.clone());
        let writer = AsyncArrowWriter::try_new(object, schema.clone(), Some(properties()))
            .map_err(|error| self.failed(&name, error))?;
        Ok(OpenFile { name, path, schema, writer })
    }

    /// Ends a file and describes it for the committer.
    async fn close(&self, epoch: u64, mut file: OpenFile) -> Result<Receipt> {
        let metadata = file.writer.finish().await.map_err(|error| self.failed(&file.name, error))?;
        // Also makes sure that the store has the file before anything points at it.
        let stored = self
            .store
            .objects()
            .head(&file.path)
            .await
            .map_err(|error| store_error(format!("writing {}", file.path), error))?;
        let schema: StructType =
            file.schema.as_ref().try_into_kernel().map_err(|error| self.failed(&file.name, error))?;
        let add = Add {
            path: file.name.clone(),
            partition_values: Default::default(),
            size: i64::try_from(stored.size).unwrap_or(i64::MAX),
            modification_time: stored.last_modified.timestamp_millis(),
            data_change: true,
            stats: Some(statistics(&metadata)),
            tags: None,
            deletion_vector: None,
            base_row_id: None,
            default_row_commit_version: None,
            clustering_provider: None,
        };
        Written {
            epoch,
            rows: u64::try_from(metadata.file_metadata().num_rows()).unwrap_or_default(),
            schema,
            add,
        }
        .receipt()
    }

    fn failed(&self, file: &str, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::external(
            format!("writing {}/{file}", self.dataset),
            error,
            "check that the store can be reached and has room",
        )
    }
}

impl EpochWriter for DeltaEpochWriter {
    fn write(&mut self, epoch: u64, batch: RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let target = self.target.clone();
        let batch = conform(&batch, &target.known, &target.dataset)?;
        let open = self.epochs.entry(epoch).or_default();
        let full = open.file.as_ref().is_some_and(|file| {
            file.schema != batch.schema()
                || file.writer.bytes_written() + file.writer.in_progress_size() > FILE_BYTES
        });
        if full && let Some(file) = open.file.take() {
            open.receipts.push(block_on(target.close(epoch, file))?);
        }
        let file = match &mut open.file {
            Some(file) => file,
            none => none.insert(target.create(epoch, self.worker, open.receipts.len(), batch.schema())?),
        };
        block_on(async { file.writer.write(&batch).await.map_err(|error| target.failed(&file.name, error)) })
    }

    fn close(&mut self, epoch: u64) -> Result<Vec<Receipt>> {
        let Some(mut open) = self.epochs.remove(&epoch) else {
            return Ok(Vec::new());
        };
        if let Some(file) = open.file.take() {
            open.receipts.push(block_on(self.target.close(epoch, file))?);
        }
        Ok(open.receipts)
    }
}

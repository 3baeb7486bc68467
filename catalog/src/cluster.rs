//! Sorts rollouts by (iteration, group_id, rollout_id), on disk where memory does not suffice.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt;
use meed_operators::{Error, Result};

use crate::arrow::datatypes::SchemaRef;
use crate::catalog::Catalog;
use crate::datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use crate::datafusion::execution::memory_pool::FairSpillPool;
use crate::datafusion::execution::runtime_env::RuntimeEnvBuilder;
use crate::datafusion::physical_plan::{ExecutionPlan, execute_stream};
use crate::datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext, col};
use crate::dataset::Dataset;
use crate::epoch_writer::properties;
use crate::errors::delta_error;
use crate::parquet::arrow::ArrowWriter;
use crate::parquet::file::reader::{FileReader, SerializedFileReader};
use crate::runtime::block_on;

/// The columns that rows are sorted by, where the input has them; `group_id` it must have.
const KEYS: [&str; 3] = ["iteration", "group_id", "rollout_id"];
/// A sorted file is ended when it has grown to this many bytes.
const FILE_BYTES: usize = 256 << 20;
/// Memory that one sorting thread should have at least.
const THREAD_BYTES: usize = 128 << 20;

/// What to sort.
#[derive(Debug, Clone)]
pub enum SortInput {
    /// Parquet files of this machine.
    Files(Vec<PathBuf>),
    /// A dataset at its version.
    Dataset(Dataset),
}

/// What a sort made and what it cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Sorted {
    /// The sorted files, in order.
    pub files: Vec<PathBuf>,
    /// Rows.
    pub rows: u64,
    /// Wall time in seconds.
    pub seconds: f64,
    /// Bytes that went to disk in between.
    pub spilled_bytes: u64,
}

/// Writes the rows of the input, sorted by (iteration, group_id, rollout_id), as Parquet files
/// `part-00000.parquet`, ... into `directory`, which is made where it does not exist and must hold
/// no such files. Rows beyond `memory_limit` bytes are kept on disk in that directory meanwhile.
/// Removing the directory afterwards is up to the caller.
///
/// The limit covers the sort itself; decoding and encoding take two row groups more.
///
/// # Errors
/// An input without `group_id`, a file that cannot be read, or a full disk.
pub fn sort_by_group(input: &SortInput, directory: &Path, memory_limit: usize) -> Result<Sorted> {
    let begin = Instant::now();
    let spill = directory.join("spill");
    std::fs::create_dir_all(&spill).map_err(|error| disk(directory, error))?;
    let sorted = block_on(sort(input, directory, &spill, memory_limit.max(1 << 20)));
    // The spilled runs remove themselves; the folder is then empty.
    let _ = std::fs::remove_dir(&spill);
    let (files, rows, spilled_bytes) = sorted?;
    Ok(Sorted { files, rows, seconds: begin.elapsed().as_secs_f64(), spilled_bytes })
}

async fn sort(
    input: &SortInput,
    directory: &Path,
    spill: &Path,
    memory_limit: usize,
) -> Result<(Vec<PathBuf>, u64, u64)> {
    let name = name(input);
    let failed = |error: crate::datafusion::error::DataFusionError| {
        Error::external(
            format!("sorting {name} by group"),
            error,
            "if memory ran out, allow the sort more; if the disk is full, choose a directory on a larger one",
        )
    };
    let session = session(memory_limit, spill, row_bytes(input)?).map_err(failed)?;
    let rows = match input {
        SortInput::Files(paths) => {
            let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
            let options = ParquetReadOptions::default();
            session.read_parquet(paths, options).await.map_err(failed)?
        }
        SortInput::Dataset(dataset) => {
            let table = dataset.delta();
            table
                .update_datafusion_session(&session.state())
                .map_err(|error| delta_error(format!("sorting {name} by group"), error))?;
            let provider =
                table.table_provider().with_session(Arc::new(session.state())).await.map_err(failed)?;
            session.read_table(provider).map_err(failed)?
        }
    };
    let has = |key: &str| rows.schema().has_column_with_unqualified_name(key);
    if !has("group_id") {
        return Err(Error::usage(
            format!("{name} has no column `group_id`"),
            "credit is relative inside a group: import the data, or add the column",
        ));
    }
    let keys = KEYS.into_iter().filter(|key| has(key)).map(|key| col(key).sort(true, true)).collect();
    let plan = rows.sort(keys).map_err(failed)?.create_physical_plan().await.map_err(failed)?;
    let mut stream = execute_stream(plan.clone(), session.task_ctx()).map_err(failed)?;
    let mut parts = Parts::new(directory, stream.schema());
    while let Some(batch) = stream.next().await {
        parts.write(&batch.map_err(failed)?)?;
    }
    let (files, rows) = parts.finish()?;
    Ok((files, rows, spilled_bytes(plan.as_ref())))
}

/// A session that sorts within the limit. Batches are cut so small that several fit, since a
/// rollout of many tokens takes a megabyte.
fn session(
    memory_limit: usize,
    spill: &Path,
    row_bytes: usize,
) -> crate::datafusion::error::Result<SessionContext> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = (memory_limit / THREAD_BYTES).clamp(1, processors);
    let share = memory_limit / threads;
    let batch_rows = ((share / 32).min(4 << 20) / row_bytes.max(1)).clamp(1, 8192);
    let mut config = SessionConfig::new()
        .with_target_partitions(threads)
        .with_batch_size(batch_rows)
        .with_sort_spill_reservation_bytes((share / 4).min(10 << 20));
    config.options_mut().execution.parquet.schema_force_view_types = false;
    let disk = DiskManagerBuilder::default()
        .with_mode(DiskManagerMode::Directories(vec![spill.to_path_buf()]))
        .with_max_temp_directory_size(1 << 50);
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(memory_limit)))
        .with_disk_manager_builder(disk)
        .build_arc()?;
    Ok(SessionContext::new_with_config_rt(config, runtime))
}

/// Bytes of a row in memory, on average, as far as the files tell.
fn row_bytes(input: &SortInput) -> Result<usize> {
    let (bytes, rows) = match input {
        SortInput::Files(paths) => {
            let mut total = (0, 0);
            for path in paths {
                let file = File::open(path).map_err(|error| disk(path, error))?;
                let reader = SerializedFileReader::new(file).map_err(|error| disk(path, error))?;
                for group in reader.metadata().row_groups() {
                    total.0 += u64::try_from(group.total_byte_size()).unwrap_or_default();
                    total.1 += u64::try_from(group.num_rows()).unwrap_or_default();
                }
            }
            total
        }
        // The log knows compressed sizes only; token columns shrink by about four.
        SortInput::Dataset(dataset) => (dataset.size().1 * 4, dataset.rows().unwrap_or(0)),
    };
    Ok(usize::try_from(bytes / rows.max(1)).unwrap_or(usize::MAX))
}

/// The sorted files.
struct Parts<'a> {
    directory: &'a Path,
    schema: SchemaRef,
    writer: Option<ArrowWriter<File>>,
    files: Vec<PathBuf>,
    rows: u64,
}

impl<'a> Parts<'a> {
    fn new(directory: &'a Path, schema: SchemaRef) -> Self {
        Parts { directory, schema, writer: None, files: Vec::new(), rows: 0 }
    }

    fn write(&mut self, batch: &crate::arrow::array::RecordBatch) -> Result<()> {
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => {
                let path = self.directory.join(format!("part-{:05}.parquet", self.files.len()));
                let file = File::create_new(&path).map_err(|error| disk(&path, error))?;
                let writer = ArrowWriter::try_new(file, self.schema.clone(), Some(properties()))
                    .map_err(|error| disk(&path, error))?;
                self.files.push(path);
                none.insert(writer)
            }
        };
        writer.write(batch).map_err(|error| disk(self.directory, error))?;
        self.rows += batch.num_rows() as u64;
        if writer.bytes_written() + writer.in_progress_size() > FILE_BYTES {
            self.end_file()?;
        }
        Ok(())
    }

    fn end_file(&mut self) -> Result<()> {
        if let Some(writer) = self.writer.take() {
            writer.close().map_err(|error| disk(self.directory, error))?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(Vec<PathBuf>, u64)> {
        if self.files.is_empty() {
            self.write(&crate::arrow::array::RecordBatch::new_empty(self.schema.clone()))?;
        }
        self.end_file()?;
        Ok((self.files, self.rows))
    }
}

fn spilled_bytes(plan: &dyn ExecutionPlan) -> u64 {
    let own = plan.metrics().and_then(|metrics| metrics.spilled_bytes());
    let below: u64 = plan.children().iter().map(|child| spilled_bytes(child.as_ref())).sum();
    below + own.unwrap_or_default() as u64
}

fn name(input: &SortInput) -> String {
    match input {
        SortInput::Dataset(dataset) => dataset.uri(),
        SortInput::Files(paths) => match paths.as_slice() {
            [] => "no files".to_owned(),
            [one] => one.display().to_string(),
            [first, rest @ ..] => format!("{} and {} further files", first.display(), rest.len()),
        },
    }
}

fn disk(path: &Path, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::external(
        format!("sorting: {}", path.display()),
        error,
        "check that the file is Parquet, and that the directory is new and has room",
    )
}

impl Catalog {
    /// Sorts a dataset, as [`sort_by_group`] does.
    pub fn sort_by_group(&self, name: &str, directory: &Path, memory_limit: usize) -> Result<Sorted> {
        let dataset = self.dataset(name)?;
        sort_by_group(&SortInput::Dataset(dataset), directory, memory_limit)
    }
}

//! Writes the rows of a run to one file, which appears only when it is whole.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use meed_operators::engine::{Committer, EpochWriter, Receipt, Sink};
use meed_operators::{Error, Result};

use crate::parquet_append::Assembly;
use crate::row_writer::{Codec, RowWriter};
use crate::store::{Format, Location, failed};
use crate::write::upload;

/// A file as the target of a run.
///
/// Every worker writes every epoch into a part file of its own. The committer appends the parts, in
/// order of epoch and then worker, to a hidden file, which takes the target's name at the end: a
/// run that breaks off leaves an earlier target as it was. Parts lie beside a local target, and in
/// the directory for temporary files where the target is in an object store; so all processes of a
/// run must share that file system.
#[derive(Debug, Clone)]
pub struct FileSink {
    location: Location,
    format: Format,
    schema: SchemaRef,
    codec: Codec,
    run: String,
}

impl FileSink {
    /// A sink for rows of `schema`. A target without rows becomes an empty file of that schema.
    pub fn new(location: Location, format: Format, schema: SchemaRef, codec: Codec) -> Self {
        FileSink { location, format, schema, codec, run: "0".to_owned() }
    }

    /// Names the run, the same in all its processes. The parts of other runs are removed when this
    /// one begins.
    pub fn with_run(mut self, run: &str) -> Self {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        self.run = run.chars().map(plain).collect();
        self
    }

    /// Where the parts of any run lie, but for the run's name.
    fn parts_prefix(&self) -> PathBuf {
        let name = self.location.path().filename().unwrap_or("rows");
        match self.location.local_path() {
            Some(path) => path.with_file_name(format!("{name}.parts-")),
            None => {
                let mut hasher = DefaultHasher::new();
                self.location.uri().hash(&mut hasher);
                let place = hasher.finish();
                std::env::temp_dir().join(format!("meed-{place:016x}-{name}.parts-"))
            }
        }
    }

    fn parts(&self) -> PathBuf {
        let mut path = self.parts_prefix().into_os_string();
        path.push(&self.run);
        PathBuf::from(path)
    }
}

impl Sink for FileSink {
    fn uri(&self) -> &str {
        self.location.uri()
    }

    fn writer(&self, worker: usize) -> Result<Box<dyn EpochWriter>> {
        Ok(Box::new(PartWriter { sink: self.clone(), worker, open: BTreeMap::new() }))
    }

    fn committer(&self) -> Result<Box<dyn Committer>> {
        Ok(Box::new(FileCommitter { sink: self.clone(), assembly: None, done: false }))
    }
}

struct PartWriter {
    sink: FileSink,
    worker: usize,
    open: BTreeMap<u64, (PathBuf, RowWriter)>,
}

impl EpochWriter for PartWriter {
    fn write(&mut self, epoch: u64, batch: RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        if let Some((_, writer)) = self.open.get_mut(&epoch) {
            return writer.write(&batch);
        }
        let sink = &self.sink;
        let parts = sink.parts();
        make_folder(&parts)?;
        let name = format!("{epoch:020}-{:06}.{}", self.worker, sink.format.extension());
        let path = parts.join(name);
        let uri = sink.location.uri();
        let mut writer = RowWriter::create(&path, uri, sink.format, &sink.schema, sink.codec)?;
        writer.write(&batch)?;
        self.open.insert(epoch, (path, writer));
        Ok(())
    }

    fn close(&mut self, epoch: u64) -> Result<Vec<Receipt>> {
        let Some((path, writer)) = self.open.remove(&epoch) else {
            return Ok(Vec::new());
        };
        writer.finish()?;
        let path = path.into_os_string().into_string().map_err(|path| {
            let path = Path::new(&path).display();
            Error::usage(format!("{path} is not valid Unicode"), "choose another target")
        })?;
        Ok(vec![path])
    }
}

struct FileCommitter {
    sink: FileSink,
    assembly: Option<Assembly>,
    done: bool,
}

impl FileCommitter {
    fn assembled(&self) -> PathBuf {
        self.sink.parts().join(format!("assembled.{}", self.sink.format.extension()))
    }

    fn assembly(&mut self) -> Result<&mut Assembly> {
        let assembly = match self.assembly.take() {
            Some(assembly) => assembly,
            None => {
                make_folder(&self.sink.parts())?;
                let sink = &self.sink;
                Assembly::create(&self.assembled(), sink.format, &sink.schema, sink.codec)?
            }
        };
        Ok(self.assembly.insert(assembly))
    }
}

impl Committer for FileCommitter {
    /// Always 0: a file is written as a whole. Parts that other runs left behind are removed; those
    /// of this run's earlier attempts may not be, since a worker may have begun to replace them.
    fn resume_at(&mut self) -> Result<u64> {
        let (prefix, own) = (self.sink.parts_prefix(), self.sink.parts());
        let (Some(folder), Some(prefix)) = (prefix.parent(), prefix.file_name()) else {
            return Ok(0);
        };
        // A folder that does not exist yet has nothing to remove.
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let stale = entry.file_name().as_encoded_bytes().starts_with(prefix.as_encoded_bytes());
            if stale && entry.path() != own {
                let path = entry.path();
                fs::remove_dir_all(&path)
                    .map_err(|error| failed("removing", &path.display().to_string(), error))?;
            }
        }
        Ok(0)
    }

    fn commit(&mut self, _: RangeInclusive<u64>, mut receipts: Vec<Receipt>) -> Result<()> {
        // Names of parts begin with the epoch and then the worker, both of fixed width.
        receipts.sort_by(|a, b| Path::new(a).file_name().cmp(&Path::new(b).file_name()));
        for receipt in receipts {
            let part = Path::new(&receipt);
            self.assembly()?.append(part)?;
            fs::remove_file(part).map_err(|error| failed("removing", &receipt, error))?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.assembly()?;
        let assembled = self.assembled();
        if let Some(assembly) = self.assembly.take() {
            assembly.finish(&assembled)?;
        }
        let location = &self.sink.location;
        match location.local_path() {
            Some(target) => {
                fs::rename(&assembled, target).map_err(|error| failed("writing", location.uri(), error))?
            }
            None => upload(&assembled, location)?,
        }
        self.done = true;
        let parts = self.sink.parts();
        fs::remove_dir_all(&parts).map_err(|error| failed("removing", &parts.display().to_string(), error))
    }
}

impl Drop for FileCommitter {
    fn drop(&mut self) {
        if !self.done {
            // The run broke off. What cannot be removed now is removed by the next run.
            let _ = fs::remove_dir_all(self.sink.parts());
        }
    }
}

fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|error| failed("making", &path.display().to_string(), error))
}

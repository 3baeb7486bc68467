//! Rollouts in Parquet files, cut into slices of whole groups.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use arrow::datatypes::{Field, Schema, SchemaRef};
use meed_operators::engine::{Batches, Source};
use meed_operators::{Error, Result};
use object_store::ObjectStore;
use object_store::path::Path;

use crate::common_schema::common_schema;
use crate::parquet_file::ParquetFile;
use crate::parquet_rows::{BATCH_ROWS, Files, Rows};
use crate::plain::plain_schema;
use crate::slices::{GROUP, ITERATION, Keys, cut};
use crate::store::Location;

/// Bytes of a slice, decoded, unless the caller says otherwise.
pub const SLICE_BYTES: u64 = 32 << 20;

/// One file of a table: where it lies and its size in bytes.
#[derive(Debug, Clone)]
pub struct DataFile {
    /// Where it lies. A file on this machine is read page by page, without a store between.
    pub location: Location,
    /// Its size in bytes, where it is known.
    pub size: Option<u64>,
}

impl DataFile {
    /// A file in a store.
    pub fn stored(store: Arc<dyn ObjectStore>, path: Path, size: u64) -> Self {
        let uri = path.to_string();
        DataFile { location: Location::stored(store, path, uri), size: Some(size) }
    }

    /// A file on this machine.
    ///
    /// # Errors
    /// A path that is not valid.
    pub fn local(path: PathBuf) -> Result<Self> {
        let location = Location::parse(&path.display().to_string())?;
        Ok(DataFile { location, size: None })
    }
}

/// Rows of one or more Parquet files, in order.
///
/// Columns come in plain types (text as `Utf8`, every list as `List` of `element`), whatever the
/// writer chose. A file that lacks a column of another file has nulls there.
pub struct ParquetSource {
    uri: String,
    fingerprint: String,
    files: Arc<Files>,
    /// First row of every slice, and the number of rows.
    bounds: Vec<u64>,
    /// Those bounds moved to the next begin of a group; found when first asked for.
    group_bounds: Vec<OnceLock<u64>>,
}

impl ParquetSource {
    /// Opens a file, a directory of `*.parquet` files or a pattern. `slice_bytes` is about what a
    /// slice takes in memory with all its columns; see [`SLICE_BYTES`].
    ///
    /// # Errors
    /// Nothing is there, a file is not Parquet, or files disagree about a column's type.
    pub fn open(location: &Location, slice_bytes: u64) -> Result<Self> {
        let (mut files, mut stamps) = (Vec::new(), Fnv::default());
        for location in location.files()? {
            let (size, stamp) = location.stamp()?;
            stamps.add(location.path().as_ref());
            stamps.add(&stamp);
            files.push(DataFile { location, size: Some(size) });
        }
        let fingerprint = format!("files={} {:016x}", files.len(), stamps.0);
        Self::from_files(files, location.uri(), fingerprint, None, slice_bytes)
    }

    /// Reads files that the caller found, in that order, such as those of a table's version.
    /// `schema` is the table's; without it the files' columns are put together.
    ///
    /// # Errors
    /// A file is not Parquet, files disagree about a column's type, or there is neither a file nor
    /// a schema.
    pub fn from_files(
        files: Vec<DataFile>,
        uri: impl Into<String>,
        fingerprint: impl Into<String>,
        schema: Option<SchemaRef>,
        slice_bytes: u64,
    ) -> Result<Self> {
        let uri = uri.into();
        let files = files
            .into_iter()
            .map(|file| ParquetFile::open(file.location, file.size))
            .collect::<Result<Vec<_>>>()?;
        let schema = match schema {
            Some(schema) => plain_schema(&schema),
            None => common_schema(&files)?,
        };
        let mut starts = vec![0];
        for file in &files {
            starts.push(starts[starts.len() - 1] + file.rows());
        }
        let bounds = cut(&files, slice_bytes);
        Ok(ParquetSource {
            group_bounds: bounds.iter().map(|_| OnceLock::new()).collect(),
            bounds,
            fingerprint: fingerprint.into(),
            files: Arc::new(Files { uri: uri.clone(), files, starts, schema }),
            uri,
        })
    }

    /// Number of rows.
    pub fn row_count(&self) -> u64 {
        self.files.starts[self.files.starts.len() - 1]
    }

    /// Size of all files in bytes.
    pub fn file_bytes(&self) -> u64 {
        self.files.files.iter().map(|file| file.size).sum()
    }

    /// Reads a range of rows regardless of slices and groups: the named columns, in that order.
    ///
    /// # Errors
    /// A column that does not exist, or a file that cannot be opened or decoded.
    pub fn read_rows(&self, rows: Range<u64>, columns: &[String]) -> Result<Batches> {
        self.read_batches(rows, columns, BATCH_ROWS)
    }

    /// As [`ParquetSource::read_rows`], with at most `batch_rows` rows a batch.
    ///
    /// # Errors
    /// As there.
    pub fn read_batches(&self, rows: Range<u64>, columns: &[String], batch_rows: u64) -> Result<Batches> {
        let fields = columns.iter().map(|name| self.field(name)).collect::<Result<Vec<Field>>>()?;
        let rows = rows.start..rows.end.min(self.row_count());
        let schema = Arc::new(Schema::new(fields));
        let files = self.files.clone();
        Ok(Box::new(Rows::new(files, rows, schema, batch_rows)))
    }

    fn field(&self, name: &str) -> Result<Field> {
        let schema = &self.files.schema;
        schema.field_with_name(name).cloned().map_err(|_| {
            let known: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
            Error::usage(
                format!("{} has no column `{name}`", self.uri),
                format!("it has: {}", known.join(", ")),
            )
        })
    }

    /// The key columns that the files have; none where they have no groups.
    pub(crate) fn key_columns(&self) -> Vec<String> {
        let has = |name: &&str| self.files.schema.field_with_name(name).is_ok();
        match has(&GROUP) {
            true => [ITERATION, GROUP].iter().filter(|n| has(n)).map(|n| (*n).to_owned()).collect(),
            false => Vec::new(),
        }
    }

    /// Where the first group begins at or after the bound of a slice. A slice owns the groups whose
    /// first row lies in its range, which is the rows between two such places.
    fn group_bound(&self, slice: usize) -> Result<u64> {
        if let Some(found) = self.group_bounds[slice].get() {
            return Ok(*found);
        }
        let bound = self.bounds[slice];
        let keys = self.key_columns();
        let found = match bound == 0 || bound == self.row_count() || keys.is_empty() {
            true => bound,
            false => self.next_group(bound, &keys)?,
        };
        Ok(*self.group_bounds[slice].get_or_init(|| found))
    }

    fn next_group(&self, bound: u64, columns: &[String]) -> Result<u64> {
        let mut row = bound - 1;
        let mut before: Option<(Option<i64>, Option<String>)> = None;
        for batch in self.read_batches(row..self.row_count(), columns, 1024)? {
            let keys = Keys::of(&batch?, &self.uri)?;
            for index in 0..keys.len() {
                let (iteration, group) = keys.at(index);
                match &before {
                    Some((i, g)) if (*i, g.as_deref()) != (iteration, group) => return Ok(row),
                    Some(_) => {}
                    None => before = Some((iteration, group.map(str::to_owned))),
                }
                row += 1;
            }
        }
        Ok(row)
    }
}

impl Source for ParquetSource {
    fn uri(&self) -> &str {
        &self.uri
    }

    fn fingerprint(&self) -> String {
        self.fingerprint.clone()
    }

    fn schema(&self) -> SchemaRef {
        self.files.schema.clone()
    }

    fn rows(&self) -> Option<u64> {
        Some(self.row_count())
    }

    fn slices(&self) -> u64 {
        self.bounds.len() as u64 - 1
    }

    fn first_row(&self, slice: u64) -> Option<u64> {
        let slice = usize::try_from(slice).ok()?;
        (slice + 1 < self.bounds.len()).then(|| self.group_bound(slice).ok())?
    }

    fn read(&self, slice: u64, columns: &[String]) -> Result<Batches> {
        if slice >= self.slices() {
            return Err(Error::usage(
                format!("{} has {} slices, no slice {slice}", self.uri, self.slices()),
                "",
            ));
        }
        let slice = slice as usize;
        self.read_rows(self.group_bound(slice)?..self.group_bound(slice + 1)?, columns)
    }
}

/// FNV-1a: a hash that stays the same in every build, as a fingerprint has to.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn add(&mut self, text: &str) {
        for byte in text.bytes().chain([0]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

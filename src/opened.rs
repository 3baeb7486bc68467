//! Rollouts made ready to be read in slices of whole groups: staged and sorted where they are not.

use std::path::PathBuf;
use std::sync::Arc;

use meed_catalog::{Catalog, Dataset, Input, SortInput, Sorted, open_source, sort_by_group};
use meed_connectors::{Clustering, DataFile, Format, Location, ParquetSource, check_clustering};
use meed_operators::columns::Table;
use meed_operators::engine::Source;
use meed_operators::{Error, Result};
use tempfile::TempDir;

use crate::address::{Address, full_uri};
use crate::staged::{self, BadRows, temporary};

/// Bytes that sorting may hold in memory; the rest goes to disk.
const SORT_BYTES: usize = 512 << 20;

/// Rollouts that are open, with what has to live as long.
pub(crate) struct Opened {
    pub(crate) source: Arc<ParquetSource>,
    /// Staged and sorted files, removed in the end.
    pub(crate) directories: Vec<TempDir>,
    slice_bytes: u64,
    /// What was opened, for lineage.
    uri: String,
    fingerprint: String,
    version: Option<u64>,
    origin: Origin,
}

/// What to sort, where the rows have to be sorted.
enum Origin {
    Files(Vec<PathBuf>),
    Dataset(Dataset),
    /// Files in an object store, which are brought here first.
    Remote,
}

impl Opened {
    /// Opens a dataset or a file. Files of other formats than Parquet are copied to a temporary
    /// Parquet file first. `slice_bytes` is about what a slice takes in memory.
    pub(crate) fn open(
        address: &Address,
        catalog: &Catalog,
        slice_bytes: u64,
        bad_rows: &BadRows,
        note: &dyn Fn(&str),
    ) -> Result<Self> {
        match address {
            Address::Dataset(name) => Self::dataset(catalog.dataset(&name.to_string())?, slice_bytes),
            Address::File(location) => match Format::of(location.uri()) {
                None | Some(Format::Parquet) => Self::parquet(location, slice_bytes),
                Some(format) => Self::staged(location, format, slice_bytes, bad_rows, note),
            },
        }
    }

    fn dataset(dataset: Dataset, slice_bytes: u64) -> Result<Self> {
        if let Some(kind) = dataset.table_kind()
            && kind != Table::Rollouts
        {
            return Err(Error::usage(
                format!("dataset {} holds {}, not rollouts", dataset.name(), kind.name()),
                "`meed datasets` says what each dataset holds",
            ));
        }
        Ok(Opened {
            source: Arc::new(open_source(&dataset, slice_bytes)?),
            directories: Vec::new(),
            slice_bytes,
            uri: dataset.uri(),
            fingerprint: dataset.fingerprint(),
            version: Some(dataset.version()),
            origin: Origin::Dataset(dataset),
        })
    }

    fn parquet(location: &Location, slice_bytes: u64) -> Result<Self> {
        let source = ParquetSource::open(location, slice_bytes)?;
        let files = location.files()?;
        let local: Option<Vec<PathBuf>> =
            files.iter().map(|file| file.local_path().map(PathBuf::from)).collect();
        Ok(Opened {
            directories: Vec::new(),
            slice_bytes,
            uri: full_uri(location),
            fingerprint: source.fingerprint(),
            version: None,
            origin: local.map_or(Origin::Remote, Origin::Files),
            source: Arc::new(source),
        })
    }

    fn staged(
        location: &Location,
        format: Format,
        slice_bytes: u64,
        bad_rows: &BadRows,
        note: &dyn Fn(&str),
    ) -> Result<Self> {
        let files = location.files()?;
        let [location] = files.as_slice() else {
            return Err(Error::usage(
                format!("{} is {} files", location.uri(), files.len()),
                "`meed import jsonl` puts them together; only Parquet is read from many files at once",
            ));
        };
        let fingerprint = crate::fingerprint::of_file(location)?;
        note(&format!("copying {} to a temporary Parquet file", location.uri()));
        let directory = temporary()?;
        let path = staged::copy(location, format, bad_rows, &directory)?;
        let mut opened = Self::local(path, location.uri(), &fingerprint, slice_bytes)?;
        opened.uri = full_uri(location);
        opened.directories.push(directory);
        Ok(opened)
    }

    /// A Parquet file that the caller made, called `uri` in messages.
    pub(crate) fn local(path: PathBuf, uri: &str, fingerprint: &str, slice_bytes: u64) -> Result<Self> {
        let files = vec![DataFile::local(path.clone())?];
        Ok(Opened {
            source: Arc::new(ParquetSource::from_files(files, uri, fingerprint, None, slice_bytes)?),
            directories: Vec::new(),
            slice_bytes,
            uri: uri.to_owned(),
            fingerprint: fingerprint.to_owned(),
            version: None,
            origin: Origin::Files(vec![path]),
        })
    }

    /// The input of a run, as lineage names it. Slices are counted after [`Opened::cluster`].
    pub(crate) fn input(&self) -> Input {
        Input {
            uri: self.uri.clone(),
            version: self.version,
            fingerprint: self.fingerprint.clone(),
            slices: Some(self.source.slices()),
        }
    }

    /// Makes sure that the rows of a group lie together: sorts them where they do not, and returns
    /// what that cost.
    pub(crate) fn cluster(&mut self, note: &dyn Fn(&str)) -> Result<Option<Sorted>> {
        let report = check_clustering(&self.source)?;
        let Clustering::Unclustered { group, first_row, again_row } = report.clustering else {
            return Ok(None);
        };
        let name = self.source.uri().to_owned();
        note(&format!(
            "{name} is not clustered by group (group {group} begins at row {first_row} and comes again at row {again_row}): sorting it first"
        ));
        let directory = temporary()?;
        let input = match &self.origin {
            Origin::Files(files) => SortInput::Files(files.clone()),
            Origin::Dataset(dataset) => SortInput::Dataset(dataset.clone()),
            Origin::Remote => {
                let path = directory.path().join("fetched.parquet");
                let schema = self.source.schema();
                let columns: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
                staged::write(&path, &schema, self.source.read_rows(0..self.source.row_count(), &columns)?)?;
                SortInput::Files(vec![path])
            }
        };
        let sorted = sort_by_group(&input, &directory.path().join("sorted"), SORT_BYTES)?;
        note(&format!(
            "sorted {} rows in {:.1} s, {} bytes spilled to disk",
            sorted.rows, sorted.seconds, sorted.spilled_bytes
        ));
        let files = sorted.files.iter().cloned().map(DataFile::local);
        // Rows are counted in the new order from here on, and messages have to say so.
        let (files, name) = (files.collect::<Result<_>>()?, format!("{name} sorted by group"));
        let columns = Some(self.source.schema());
        let source = ParquetSource::from_files(files, name, &self.fingerprint, columns, self.slice_bytes)?;
        self.source = Arc::new(source);
        self.directories.push(directory);
        Ok(Some(sorted))
    }
}

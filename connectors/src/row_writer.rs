//! Writes record batches to one local file of any format.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float32Type, Float64Type, SchemaRef};
use arrow::ipc::writer::FileWriter;
use arrow::json::LineDelimitedWriter;
use arrow::json::writer::{LineDelimited, Writer, WriterBuilder};
use meed_operators::{Error, Place, Result};
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::basic::{Compression, Type, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use crate::store::{Format, failed};

/// How Parquet pages are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Codec {
    /// Zstandard at level 1: small files, a little slower.
    #[default]
    Zstd,
    /// Snappy: fast, larger files.
    Snappy,
    /// None.
    Uncompressed,
}

const ROW_GROUP_ROWS: usize = 65_536;
const ROW_GROUP_BYTES: usize = 64 << 20;
/// A page is encoded and compressed in the processor's caches, and readers skip in smaller steps.
const PAGE_BYTES: usize = 128 << 10;

/// The Parquet properties of every file that meed writes.
pub(crate) fn properties(schema: &SchemaRef, codec: Codec) -> Result<WriterProperties> {
    let compression = match codec {
        Codec::Zstd => {
            let level = ZstdLevel::try_new(1);
            Compression::ZSTD(level.map_err(|error| Error::external("zstd", error, ""))?)
        }
        Codec::Snappy => Compression::SNAPPY,
        Codec::Uncompressed => Compression::UNCOMPRESSED,
    };
    let mut builder = WriterProperties::builder()
        .set_compression(compression)
        .set_dictionary_enabled(true)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_data_page_size_limit(PAGE_BYTES)
        .set_write_batch_size(8192)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES));
    // Nobody prunes by the smallest token of a row group, and to find it costs a pass.
    let parquet_schema = ArrowSchemaConverter::new().convert(schema);
    let parquet_schema =
        parquet_schema.map_err(|error| Error::external("making a Parquet schema", error, ""))?;
    for column in parquet_schema.columns().iter().filter(|column| column.max_rep_level() > 0) {
        let path = column.path().clone();
        builder = builder.set_column_statistics_enabled(path.clone(), EnabledStatistics::None);
        // Floats of tokens and steps either differ from one to the next, or come in runs, which the
        // codec finds faster than a dictionary does.
        if matches!(column.physical_type(), Type::FLOAT | Type::DOUBLE) {
            builder = builder.set_column_dictionary_enabled(path, false);
        }
    }
    Ok(builder.build())
}

/// An open file of one format.
pub(crate) struct RowWriter {
    rows: Rows,
    schema: SchemaRef,
    uri: String,
}

enum Rows {
    Parquet(Box<ArrowWriter<BufWriter<File>>>),
    JsonLines(Writer<BufWriter<File>, LineDelimited>),
    Arrow(Box<FileWriter<BufWriter<File>>>),
}

impl RowWriter {
    /// Makes the file, or empties it. `uri` is what messages call it.
    pub(crate) fn create(
        path: &Path,
        uri: &str,
        format: Format,
        schema: &SchemaRef,
        codec: Codec,
    ) -> Result<Self> {
        let file =
            File::create(path).map_err(|error| failed("writing", &path.display().to_string(), error))?;
        let file = BufWriter::with_capacity(1 << 18, file);
        let rows = match format {
            Format::Parquet => {
                let options = ArrowWriterOptions::new()
                    .with_skip_arrow_metadata(true)
                    .with_properties(properties(schema, codec)?);
                let writer = ArrowWriter::try_new_with_options(file, schema.clone(), options)
                    .map_err(|error| failed("writing", uri, error))?;
                Rows::Parquet(Box::new(writer))
            }
            Format::JsonLines => {
                // Nulls are written, so that a column that is all null is still a column.
                let builder = WriterBuilder::new().with_explicit_nulls(true);
                let writer: LineDelimitedWriter<_> = builder.build(file);
                Rows::JsonLines(writer)
            }
            Format::Arrow => Rows::Arrow(Box::new(
                FileWriter::try_new(file, schema).map_err(|error| failed("writing", uri, error))?,
            )),
        };
        Ok(RowWriter { rows, schema: schema.clone(), uri: uri.to_owned() })
    }

    /// Writes rows, whose columns must be those of the schema.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let batch = RecordBatch::try_new(self.schema.clone(), batch.columns().to_vec()).map_err(|error| {
            let hint = "the rows must have the schema that the file was opened with";
            Error::data(Place::file(&self.uri), error.to_string(), hint)
        })?;
        match &mut self.rows {
            Rows::Parquet(writer) => {
                writer.write(&batch).map_err(|error| failed("writing", &self.uri, error))
            }
            Rows::JsonLines(writer) => {
                for (column, field) in batch.columns().iter().zip(self.schema.fields()) {
                    if !all_finite(column) {
                        let place = Place::file(&self.uri).column(field.name());
                        return Err(Error::data(
                            place,
                            "NaN or infinity, which JSON cannot hold",
                            "write Parquet or Arrow, or find what made the number",
                        ));
                    }
                }
                writer.write(&batch).map_err(|error| failed("writing", &self.uri, error))
            }
            Rows::Arrow(writer) => writer.write(&batch).map_err(|error| failed("writing", &self.uri, error)),
        }
    }

    /// Ends the file and hands it to the operating system.
    pub(crate) fn finish(self) -> Result<()> {
        let uri = self.uri;
        let mut file = match self.rows {
            Rows::Parquet(writer) => writer.into_inner().map_err(|error| failed("writing", &uri, error))?,
            Rows::JsonLines(mut writer) => {
                writer.finish().map_err(|error| failed("writing", &uri, error))?;
                writer.into_inner()
            }
            Rows::Arrow(mut writer) => {
                writer.finish().map_err(|error| failed("writing", &uri, error))?;
                writer.into_inner().map_err(|error| failed("writing", &uri, error))?
            }
        };
        file.flush().map_err(|error| failed("writing", &uri, error))
    }
}

/// True where no float of the column is NaN or infinite. Slots that are null do not count.
fn all_finite(column: &ArrayRef) -> bool {
    match column.data_type() {
        DataType::Float32 => {
            let column = column.as_primitive::<Float32Type>();
            column.values().iter().all(|value| value.is_finite())
                || column.iter().flatten().all(f32::is_finite)
        }
        DataType::Float64 => {
            let column = column.as_primitive::<Float64Type>();
            column.values().iter().all(|value| value.is_finite())
                || column.iter().flatten().all(f64::is_finite)
        }
        DataType::List(_) => {
            let list = column.as_list::<i32>();
            let (first, last) = (list.value_offsets()[0], list.value_offsets()[list.len()]);
            let child = list.values().slice(first as usize, (last - first) as usize);
            all_finite(&Arc::clone(&child))
        }
        _ => true,
    }
}

//! Puts part files together into one file, without decoding what need not be decoded.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::ipc::reader::FileReader;
use arrow::ipc::writer::FileWriter;
use meed_operators::Result;
use parquet::arrow::ArrowSchemaConverter;
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaDataReader};
use parquet::file::writer::SerializedFileWriter;

use crate::row_writer::{Codec, properties};
use crate::store::{Format, failed};

/// A file under construction from parts of the same format and schema.
pub(crate) enum Assembly {
    /// Compressed pages are copied as they are.
    Parquet(Box<SerializedFileWriter<BufWriter<File>>>),
    /// Lines are copied.
    JsonLines(BufWriter<File>),
    /// Batches are copied.
    Arrow(Box<FileWriter<BufWriter<File>>>),
}

impl Assembly {
    /// Makes the file.
    pub(crate) fn create(path: &Path, format: Format, schema: &SchemaRef, codec: Codec) -> Result<Self> {
        let name = path.display().to_string();
        let file = File::create(path).map_err(|error| failed("writing", &name, error))?;
        let file = BufWriter::with_capacity(1 << 20, file);
        Ok(match format {
            Format::Parquet => {
                let columns = ArrowSchemaConverter::new()
                    .convert(schema)
                    .map_err(|error| failed("writing", &name, error))?;
                let properties = Arc::new(properties(schema, codec)?);
                let writer = SerializedFileWriter::new(file, columns.root_schema_ptr(), properties)
                    .map_err(|error| failed("writing", &name, error))?;
                Assembly::Parquet(Box::new(writer))
            }
            Format::JsonLines => Assembly::JsonLines(file),
            Format::Arrow => Assembly::Arrow(Box::new(
                FileWriter::try_new(file, schema).map_err(|error| failed("writing", &name, error))?,
            )),
        })
    }

    /// Appends the rows of a part.
    pub(crate) fn append(&mut self, part: &Path) -> Result<()> {
        let name = part.display().to_string();
        let mut file = File::open(part).map_err(|error| failed("opening", &name, error))?;
        match self {
            Assembly::Parquet(writer) => {
                append_row_groups(writer, &file).map_err(|error| failed("appending", &name, error))
            }
            Assembly::JsonLines(lines) => {
                let copied = std::io::copy(&mut file, lines);
                copied.map(|_| ()).map_err(|error| failed("appending", &name, error))
            }
            Assembly::Arrow(writer) => {
                let copy = || -> std::result::Result<(), arrow::error::ArrowError> {
                    for batch in FileReader::try_new(BufReader::new(file), None)? {
                        writer.write(&batch?)?;
                    }
                    Ok(())
                };
                copy().map_err(|error| failed("appending", &name, error))
            }
        }
    }

    /// Ends the file and waits until it is on the disk.
    pub(crate) fn finish(self, path: &Path) -> Result<()> {
        let name = path.display().to_string();
        let mut file = match self {
            Assembly::Parquet(writer) => {
                writer.into_inner().map_err(|error| failed("writing", &name, error))?
            }
            Assembly::JsonLines(file) => file,
            Assembly::Arrow(mut writer) => {
                writer.finish().map_err(|error| failed("writing", &name, error))?;
                writer.into_inner().map_err(|error| failed("writing", &name, error))?
            }
        };
        let synced = file.flush().and_then(|()| file.get_ref().sync_all());
        synced.map_err(|error| failed("writing", &name, error))
    }
}

fn append_row_groups(
    writer: &mut SerializedFileWriter<BufWriter<File>>,
    part: &File,
) -> std::result::Result<(), ParquetError> {
    let metadata = ParquetMetaDataReader::new()
        .with_page_index_policy(PageIndexPolicy::Optional)
        .parse_and_finish(part)?;
    for (group_index, group) in metadata.row_groups().iter().enumerate() {
        let column_indexes = metadata.column_index().and_then(|index| index.get(group_index));
        let offset_indexes = metadata.offset_index().and_then(|index| index.get(group_index));
        let mut copy = writer.next_row_group()?;
        for (column_index, column) in group.columns().iter().enumerate() {
            let close = ColumnCloseResult {
                bytes_written: column.compressed_size() as u64,
                rows_written: group.num_rows() as u64,
                metadata: column.clone(),
                bloom_filter: None,
                column_index: column_indexes.and_then(|index| index.get(column_index)).cloned(),
                offset_index: offset_indexes.and_then(|index| index.get(column_index)).cloned(),
            };
            copy.append_column(part, close)?;
        }
        copy.close()?;
    }
    Ok(())
}

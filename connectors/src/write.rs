//! Writes record batches to a file in one call.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use meed_operators::Result;
use meed_operators::engine::Sink;
use object_store::{ObjectStoreExt, WriteMultipart};

use crate::blocking;
use crate::file_sink::FileSink;
use crate::row_writer::Codec;
use crate::store::{Format, Location, failed};

/// Writes the rows to a file, which appears when it is whole, and returns how many they were.
///
/// # Errors
/// A batch that is an error or does not have the schema, or a file that cannot be written. The
/// target is then as it was before.
pub fn write_batches(
    location: &Location,
    format: Format,
    schema: &SchemaRef,
    batches: impl IntoIterator<Item = Result<RecordBatch>>,
) -> Result<u64> {
    let sink = FileSink::new(location.clone(), format, schema.clone(), Codec::default())
        .with_run(&format!("write-{}", std::process::id()));
    let mut committer = sink.committer()?;
    committer.resume_at()?;
    let mut writer = sink.writer(0)?;
    let mut rows = 0;
    for batch in batches {
        let batch = batch?;
        rows += batch.num_rows() as u64;
        writer.write(0, batch)?;
    }
    committer.commit(0..=0, writer.close(0)?)?;
    committer.finish()?;
    Ok(rows)
}

/// Bytes of one part of an upload; a smaller file is put in one request.
const UPLOAD_PART: usize = 8 << 20;

/// Copies a local file to a store, where it appears when all of it has arrived.
pub(crate) fn upload(file: &Path, target: &Location) -> Result<()> {
    let uri = target.uri().to_owned();
    let read_failed = |error: std::io::Error| failed("reading", &file.display().to_string(), error);
    let mut input = File::open(file).map_err(read_failed)?;
    let size = input.metadata().map_err(read_failed)?.len();
    let (store, path) = (target.store().clone(), target.path().clone());
    let mut chunk = move || -> std::io::Result<Bytes> {
        let mut bytes = Vec::with_capacity(UPLOAD_PART.min(size as usize));
        input.by_ref().take(UPLOAD_PART as u64).read_to_end(&mut bytes)?;
        Ok(bytes.into())
    };
    blocking::wait(target.uri(), async move {
        let write_failed = |error: object_store::Error| failed("writing", &uri, error);
        let local_failed = |error: std::io::Error| failed("writing", &uri, error);
        if size <= UPLOAD_PART as u64 {
            let bytes = chunk().map_err(local_failed)?;
            store.put(&path, bytes.into()).await.map_err(write_failed)?;
            return Ok(());
        }
        let upload = store.put_multipart(&path).await.map_err(write_failed)?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, UPLOAD_PART);
        loop {
            let bytes = match chunk() {
                Ok(bytes) if bytes.is_empty() => break,
                Ok(bytes) => bytes,
                Err(error) => {
                    upload.abort().await.map_err(write_failed)?;
                    return Err(local_failed(error));
                }
            };
            if let Err(error) = upload.wait_for_capacity(4).await {
                upload.abort().await.map_err(write_failed)?;
                return Err(write_failed(error));
            }
            upload.put(bytes);
        }
        // A failed end aborts the upload by itself.
        upload.finish().await.map_err(write_failed)?;
        Ok(())
    })
}

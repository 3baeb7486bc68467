//! Reads Arrow IPC, files and streams alike, from begin to end.

use std::io::{Cursor, ErrorKind, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::reader::StreamReader;
use meed_operators::engine::Batches;
use meed_operators::{Error, Result};

use crate::blocking::panicked;
use crate::broken_file;
use crate::plain::{plain_batch, plain_schema};
use crate::store::{Location, failed};

/// Reads the batches of a file.
pub(crate) fn read(location: &Location) -> Result<(SchemaRef, Batches)> {
    let uri = location.uri().to_owned();
    let mut input = location.open()?;
    // A file is a stream between two marks; the index behind it is not needed to read it in order.
    let mut word = [0; 8];
    let mut next_word = || match input.read_exact(&mut word) {
        Ok(()) => Ok(word),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
            Err(broken_file(&uri, "too short for a file of Arrow IPC"))
        }
        Err(error) => Err(failed("reading", &uri, error)),
    };
    let mut word = next_word()?;
    if word.starts_with(b"ARROW1") {
        // Writers fill up to their alignment with zeros; a message never begins with them.
        word = next_word()?;
        while word == [0; 8] {
            word = next_word()?;
        }
    }
    let input: Box<dyn Read + Send> = Box::new(Cursor::new(word).chain(input));
    let end = Arc::new(Mutex::new([0xff; 8]));
    let input = LastBytes { input, last: end.clone() };
    let reader = catch_unwind(AssertUnwindSafe(|| StreamReader::try_new(input, None)))
        .map_err(|panic| panicked(&uri, panic.as_ref()))?
        .map_err(|error| broken_file(&uri, &error.to_string()))?;
    let schema = plain_schema(&reader.schema());
    let batches = IpcBatches { reader: Some(reader), end, schema: schema.clone(), uri };
    Ok((schema, Box::new(batches)))
}

struct IpcBatches {
    reader: Option<StreamReader<LastBytes>>,
    end: Arc<Mutex<[u8; 8]>>,
    schema: SchemaRef,
    uri: String,
}

impl IpcBatches {
    fn batch(&mut self) -> Result<Option<RecordBatch>> {
        let Some(reader) = &mut self.reader else {
            return Ok(None);
        };
        // Damaged lengths and offsets can make the decoder panic; the reader is dropped then.
        let next = catch_unwind(AssertUnwindSafe(|| reader.next()))
            .map_err(|panic| panicked(&self.uri, panic.as_ref()))?;
        match next {
            Some(Ok(batch)) => {
                let positions: Vec<Option<usize>> = (0..batch.num_columns()).map(Some).collect();
                plain_batch(&batch, &positions, &self.schema, &self.uri).map(Some)
            }
            Some(Err(error)) => Err(broken_file(&self.uri, &error.to_string())),
            // The decoder takes a file that ends between two batches for whole. Its end mark tells.
            None => match *self.end.lock().unwrap_or_else(PoisonError::into_inner) {
                [_, _, _, _, 0, 0, 0, 0] => Ok(None),
                _ => Err(broken_file(&self.uri, "the file ends without the end mark of Arrow IPC")),
            },
        }
    }
}

impl Iterator for IpcBatches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch: Result<Option<RecordBatch>, Error> = self.batch();
        if !matches!(batch, Ok(Some(_))) {
            self.reader = None;
        }
        batch.transpose()
    }
}

/// Remembers the last eight bytes that were read.
struct LastBytes {
    input: Box<dyn Read + Send>,
    last: Arc<Mutex<[u8; 8]>>,
}

impl Read for LastBytes {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.input.read(buffer)?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = &buffer[count.saturating_sub(8)..count];
        last.rotate_left(fresh.len());
        last[8 - fresh.len()..].copy_from_slice(fresh);
        Ok(count)
    }
}

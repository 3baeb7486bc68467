//! The bytes of an object in a store, from begin to end, for ordinary readers.

use std::io::Read;

use bytes::Bytes;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use meed_operators::Result;
use object_store::ObjectStoreExt;

use crate::blocking::{self, Pending};
use crate::store::{Location, failed};

/// A stored file as a stream of bytes. The next chunk is fetched while its predecessor is used.
pub(crate) struct StoredBytes {
    next: Option<Pending<Chunk>>,
    chunk: Bytes,
    uri: String,
}

type Chunks = BoxStream<'static, object_store::Result<Bytes>>;
type Chunk = Option<(Bytes, Chunks)>;

impl StoredBytes {
    /// Starts to fetch the object.
    pub(crate) fn open(location: &Location) -> Result<Self> {
        let (store, path) = (location.store().clone(), location.path().clone());
        let uri = location.uri().to_owned();
        let chunks = blocking::wait(location.uri(), async move {
            let found = store.get(&path).await;
            Ok(found.map_err(|error| failed("opening", &uri, error))?.into_stream())
        })?;
        Ok(StoredBytes {
            next: Some(fetch(chunks, location.uri())?),
            chunk: Bytes::new(),
            uri: location.uri().to_owned(),
        })
    }
}

fn fetch(mut chunks: Chunks, uri: &str) -> Result<Pending<Chunk>> {
    let name = uri.to_owned();
    blocking::start(uri, async move {
        let chunk = chunks.try_next().await;
        let chunk = chunk.map_err(|error| failed("reading", &name, error))?;
        Ok(chunk.map(|chunk| (chunk, chunks)))
    })
}

impl Read for StoredBytes {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.chunk.is_empty() {
            let Some(next) = self.next.take() else {
                return Ok(0);
            };
            if let Some((chunk, chunks)) = next.wait().map_err(std::io::Error::other)? {
                self.chunk = chunk;
                self.next = Some(fetch(chunks, &self.uri).map_err(std::io::Error::other)?);
            }
        }
        let taken = self.chunk.split_to(buffer.len().min(self.chunk.len()));
        buffer[..taken.len()].copy_from_slice(&taken);
        Ok(taken.len())
    }
}

//! Stores that lie or lose replies do not lose or repeat rows.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures::stream::BoxStream;
use meed_catalog::Catalog;
use meed_operators::columns::Table;
use meed_operators::engine::Sink;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use crate::rows::{lineage, read, rollouts, sink, write};

/// A store in memory with one fault.
#[derive(Debug)]
struct Faulty {
    inner: InMemory,
    /// Accepts a put that should create an object which exists.
    overwrites: bool,
    /// How many commits are stored with the reply lost.
    lost_replies: AtomicUsize,
}

impl Faulty {
    fn catalog(overwrites: bool, lost_replies: usize) -> Catalog {
        let store =
            Faulty { inner: InMemory::new(), overwrites, lost_replies: AtomicUsize::new(lost_replies) };
        Catalog::over(Arc::new(store), Path::from("data"), "faulty").unwrap()
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("faulty")
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, at: &Path, payload: PutPayload, mut options: PutOptions) -> Result<PutResult> {
        if self.overwrites {
            options.mode = PutMode::Overwrite;
        }
        let done = self.inner.put_opts(at, payload, options).await?;
        let is_commit = at.as_ref().ends_with("00000000000000000001.json");
        let lose = |left: usize| left.checked_sub(1);
        if is_commit && self.lost_replies.fetch_update(Ordering::SeqCst, Ordering::SeqCst, lose).is_ok() {
            return Err(Error::Generic { store: "faulty", source: "connection reset".into() });
        }
        Ok(done)
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(at, options).await
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(at, options).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[test]
fn a_store_without_conditional_put_is_refused() {
    let catalog = Faulty::catalog(true, 0);
    let error = catalog.sink("math", Table::Rollouts, lineage("run")).unwrap_err();
    assert!(error.to_string().contains("does not support conditional put"), "{error}");
    assert_eq!(catalog.names().unwrap(), Vec::<String>::new());
}

#[test]
fn a_commit_whose_reply_was_lost_is_not_repeated() {
    let catalog = Faulty::catalog(false, 1);
    let sink = sink(&catalog, "math", "run");
    let mut committer = sink.committer().unwrap();
    for epoch in 0..3 {
        let receipts = write(&sink, 0, epoch, &rollouts(epoch as i64, 0..2, 2));
        committer.commit(epoch..=epoch, receipts).unwrap();
    }
    assert_eq!(read(&catalog, "math", &["rollout_id"], 1 << 20).num_rows(), 12);
    assert_eq!(catalog.dataset("math").unwrap().version(), 3);
    let query = "select count(*) from math";
    let rows = catalog.sql(query, &Default::default()).unwrap();
    assert_eq!(crate::rows::numbers(&rows, 0), [Some(12.0)]);
}

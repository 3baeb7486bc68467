//! Waits for asynchronous input and output from ordinary threads.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, sync_channel};

use futures::FutureExt;
use meed_operators::engine::panic_message;
use meed_operators::{Error, Result};
use tokio::runtime::Runtime;

/// Work that was started on the runtime for input and output.
pub(crate) struct Pending<T>(Receiver<Result<T>>);

impl<T> Pending<T> {
    /// Blocks the calling thread until the work is done.
    pub(crate) fn wait(self) -> Result<T> {
        self.0.recv().unwrap_or_else(|_| {
            Err(Error::external("waiting for input or output", "its task was dropped", ""))
        })
    }
}

/// Starts work that concerns `what`, such as a file's name. A panic inside becomes an error.
pub(crate) fn start<T, F>(what: &str, work: F) -> Result<Pending<T>>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    let (sender, receiver) = sync_channel(1);
    let what = what.to_owned();
    runtime()?.spawn(async move {
        let outcome = match AssertUnwindSafe(work).catch_unwind().await {
            Ok(outcome) => outcome,
            Err(panic) => Err(panicked(&what, panic.as_ref())),
        };
        // Nobody waits any more when the receiver is gone; then the outcome does not matter.
        let _ = sender.send(outcome);
    });
    Ok(Pending(receiver))
}

/// Runs work to its end, from inside or outside another runtime.
pub(crate) fn wait<T, F>(what: &str, work: F) -> Result<T>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    start(what, work)?.wait()
}

/// The error for a panic of a decoder that was reading `what`.
pub(crate) fn panicked(what: &str, panic: &(dyn Any + Send)) -> Error {
    crate::broken_file(what, panic_message(panic))
}

/// One runtime for the whole process: connections that a store keeps open belong to the runtime
/// that made them, so it has to outlive every store.
fn runtime() -> Result<&'static Runtime> {
    static RUNTIME: OnceLock<std::io::Result<Runtime>> = OnceLock::new();
    RUNTIME
        .get_or_init(|| {
            tokio::runtime::Builder::new_multi_thread().thread_name("meed-io").enable_all().build()
        })
        .as_ref()
        .map_err(|error| Error::external("starting the runtime for input and output", error.to_string(), ""))
}

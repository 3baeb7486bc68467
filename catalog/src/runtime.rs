//! The one tokio runtime on which the catalog drives object stores and SQL.

use std::future::Future;
use std::sync::OnceLock;

use meed_operators::{Error, Result};
use tokio::runtime::{Handle, Runtime};

fn runtime() -> Result<&'static Runtime> {
    static RUNTIME: OnceLock<std::io::Result<Runtime>> = OnceLock::new();
    let made = RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread().thread_name("meed-catalog").enable_all().build()
    });
    made.as_ref().map_err(|error| {
        Error::external(
            "starting the catalog's threads",
            error.to_string(),
            "the machine allows no more threads: raise the limit on processes",
        )
    })
}

/// Runs a future to its end and returns what it returns.
///
/// A thread that already belongs to a tokio runtime must not block on another one, so there the
/// future is driven from a helper thread while the caller waits. That keeps the call correct, but
/// it still blocks the caller's runtime thread: asynchronous programs should call it from
/// `spawn_blocking`.
pub fn block_on<F, T>(future: F) -> Result<T>
where
    F: Future<Output = Result<T>> + Send,
    T: Send,
{
    let runtime = runtime()?;
    if Handle::try_current().is_err() {
        return runtime.block_on(future);
    }
    std::thread::scope(|scope| {
        scope.spawn(|| runtime.block_on(future)).join().unwrap_or_else(|_| {
            Err(Error::external("catalog", "a store or query panicked", "please report this"))
        })
    })
}

//! Calls to environments: so many at a time, each with a deadline, each on a task of its own.

use std::future::Future;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::Status;
use crate::engine::panic_message;

/// How an episode ends whose environment did not answer, and why.
pub(super) type Ended = (Status, String);

/// Limits on the calls to the environments of one request.
pub(super) struct Calls {
    permits: Semaphore,
    deadline: Duration,
}

impl Calls {
    pub(super) fn new(limit: usize, deadline: Duration) -> Self {
        Calls { permits: Semaphore::new(limit.clamp(1, Semaphore::MAX_PERMITS)), deadline }
    }

    /// What a call answers. The deadline counts from when the call may begin. A call that panics is
    /// a failure, and one that blocks its thread still ends its episode at the deadline.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        what: &str,
        call: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Ended> {
        let _permit = self.permits.acquire().await;
        let mut task = tokio::spawn(call);
        match tokio::time::timeout(self.deadline, &mut task).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(failure)) => Err((
                Status::Error,
                match failure.try_into_panic() {
                    Ok(panic) => format!("{what} panicked: {}", panic_message(&*panic)),
                    Err(_) => format!("{what} was stopped"),
                },
            )),
            Err(_) => {
                task.abort();
                Err((Status::Aborted, format!("{what} did not answer within {:?}", self.deadline)))
            }
        }
    }
}

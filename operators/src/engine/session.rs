//! Runs a program on all workers: threads of this process, and other processes where asked for.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use timely::communication::initialize_from;
use timely::worker::Worker;

use super::network::Network;
use super::{Faults, RunOptions};
use crate::{Error, Result};

/// How often a worker without work looks for a fault.
const HEARTBEAT: Duration = Duration::from_millis(100);
/// How long a process with a fault waits for its workers to come to rest.
const GRACE: Duration = Duration::from_secs(2);

/// One worker's handle on the run.
///
/// Every worker of every process runs the same program and calls the same methods in the same
/// order: each call is a dataflow that all workers take part in.
pub struct Session {
    worker: Worker,
    faults: Faults,
    options: Arc<RunOptions>,
}

impl Session {
    /// Index of this worker over all processes.
    pub fn index(&self) -> usize {
        self.worker.index()
    }

    /// Number of workers over all processes.
    pub fn peers(&self) -> usize {
        self.worker.peers()
    }

    /// Where operators report that they broke.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The options of the run.
    pub fn options(&self) -> &RunOptions {
        &self.options
    }

    /// Timely's worker, to build dataflows on; follow with [`complete`](Session::complete).
    pub fn worker(&mut self) -> &mut Worker {
        &mut self.worker
    }

    /// Steps until all dataflows of this worker are complete, or a fault ended the run.
    ///
    /// # Errors
    /// The fault, whichever worker of whichever process raised it.
    pub fn complete(&mut self) -> Result<()> {
        while !self.faults.raised() && self.worker.has_dataflows() {
            self.worker.step_or_park(Some(HEARTBEAT));
        }
        self.faults.check()
    }

    /// Lets go of the worker. After a fault its channels stay open for ever: closing them would
    /// tell other processes that this one has nothing more to say.
    fn close(mut self) {
        if self.faults.raised() {
            std::mem::forget(self.worker.clone());
            for dataflow in self.worker.installed_dataflows() {
                let worker = &mut self.worker;
                let _ended = self.faults.guard(|| {
                    worker.drop_dataflow(dataflow);
                    Ok(())
                });
            }
        }
    }
}

/// Runs `body` on every worker and returns what the workers of this process return, in order.
///
/// Several processes run the same program with the same options, except for `-p`. The call returns
/// when all of them are done.
///
/// # Errors
/// The first fault of any worker of any process: an error that `body` or an operator returns, or a
/// panic. It comes within about two seconds, also where other workers are still busy; such workers
/// are abandoned, and the program should end.
pub fn execute<T, F>(options: &RunOptions, body: F) -> Result<Vec<T>>
where
    T: Send + 'static,
    F: Fn(&mut Session) -> Result<T> + Send + Sync + 'static,
{
    let layout = options.layout()?;
    let faults = Faults::new();
    let config = layout.worker.clone();
    let (builders, connections, network) = Network::start(layout, options, &faults)?;
    let threads = builders.len();
    let (send, receive) = channel();
    let first = network.first_worker;
    let (worker_faults, options) = (faults.clone(), Arc::new(options.clone()));
    let guards = initialize_from(builders, connections, move |allocator| {
        let mut session = Session {
            worker: Worker::new(config.clone(), allocator, Some(Instant::now())),
            faults: worker_faults.clone(),
            options: options.clone(),
        };
        let index = session.index();
        let result = worker_faults.guard(|| {
            let value = body(&mut session)?;
            session.complete()?;
            Ok(value)
        });
        let result = worker_faults.guard(|| {
            session.close();
            result
        });
        // Without a receiver the run is over already.
        let _over = send.send((index - first, result));
    })
    .map_err(|error| Error::external("starting worker threads", error, "use fewer workers"))?;

    let mut values: Vec<Option<T>> = (0..threads).map(|_| None).collect();
    let mut deadline = None;
    let mut waiting = threads;
    while waiting > 0 {
        match receive.recv_timeout(HEARTBEAT) {
            Ok((index, result)) => {
                waiting -= 1;
                values[index] = result.ok();
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {}
        }
        if faults.raised() {
            let end = *deadline.get_or_insert_with(|| Instant::now() + GRACE);
            if Instant::now() > end {
                break;
            }
        }
    }
    if !faults.raised() {
        network.finish();
    }
    if let Err(error) = faults.check() {
        // Joining would wait for workers and connections that have nothing left to wait for.
        std::mem::forget(guards);
        network.cut();
        return Err(error);
    }
    drop(guards);
    let values: Option<Vec<T>> = values.into_iter().collect();
    values.ok_or_else(|| {
        Error::external("a run", "a worker ended without a result", "this is a defect of meed")
    })
}

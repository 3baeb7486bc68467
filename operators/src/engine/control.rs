//! What processes tell each other about their end: done, or the fault that ended them.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Faults;
use super::faults::lock;
use crate::{Error, Result};

/// How long to try to tell a process that does not listen.
const PATIENCE: Duration = Duration::from_secs(1);

/// One line of JSON on a control connection; the last one of its process.
#[derive(Serialize, Deserialize)]
enum Word {
    Done,
    Fault { operator: String, epoch: u64, message: String, hint: String },
    Usage { message: String, hint: String },
    Other { message: String, hint: String },
}

/// The control connections of a process with all others.
///
/// Timely alone cannot tell the end of a process from the end of its work. Here a process says
/// which of the two it is, and silence is a fault.
pub(super) struct Control {
    streams: Arc<Vec<TcpStream>>,
    busy: Arc<(Mutex<usize>, Condvar)>,
    faults: Faults,
}

impl Control {
    /// Listens to all other processes, and tells them the first fault that is raised here.
    pub(super) fn start(streams: Vec<Option<TcpStream>>, faults: &Faults) -> Result<Control> {
        let failed = |error| Error::external("connecting processes", error, "");
        let mut kept = Vec::new();
        let busy = Arc::new((Mutex::new(0), Condvar::new()));
        for (process, stream) in streams.into_iter().enumerate() {
            let Some(stream) = stream else { continue };
            stream.set_write_timeout(Some(PATIENCE)).map_err(failed)?;
            let reader = stream.try_clone().map_err(failed)?;
            let (faults, busy_here) = (faults.clone(), busy.clone());
            *lock(&busy.0) += 1;
            std::thread::Builder::new()
                .name(format!("meed:control-{process}"))
                .spawn(move || {
                    if let Err(error) = listen(reader, process) {
                        faults.heard(error);
                    }
                    *lock(&busy_here.0) -= 1;
                    busy_here.1.notify_all();
                })
                .map_err(failed)?;
            kept.push(stream);
        }
        let streams = Arc::new(kept);
        let listeners = streams.clone();
        faults.on_raise(Box::new(move |error| tell(&listeners, &Word::of(error))));
        Ok(Control { streams, busy, faults: faults.clone() })
    }

    /// Says that this process is done and waits until all others said the same, or one failed.
    pub(super) fn finish(&self) {
        tell(&self.streams, &Word::Done);
        let mut busy = lock(&self.busy.0);
        while *busy > 0 && !self.faults.raised() {
            let waited = self.busy.1.wait_timeout(busy, Duration::from_millis(100));
            busy = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        for stream in self.streams.iter() {
            // A connection that is gone already is as good as closed.
            let _gone = stream.shutdown(Shutdown::Both);
        }
    }
}

fn tell(streams: &[TcpStream], word: &Word) {
    let Ok(mut line) = serde_json::to_vec(word) else {
        return;
    };
    line.push(b'\n');
    for mut stream in streams {
        // A process that cannot be told has ended, or learns it from the closed connection.
        if let Err(error) = stream.write_all(&line) {
            tracing::debug!("a process could not be told of the end: {error}");
        }
    }
}

/// Waits for the last word of a process.
fn listen(stream: TcpStream, process: usize) -> Result<()> {
    let mut line = String::new();
    let read = BufReader::new(stream).read_line(&mut line);
    let what = format!("process {process}");
    match (read, serde_json::from_str(&line)) {
        (Ok(_), Ok(Word::Done)) => Ok(()),
        (Ok(_), Ok(Word::Fault { operator, epoch, message, hint })) => {
            Err(Error::Fault { operator, epoch, message: format!("{message} (in process {process})"), hint })
        }
        (Ok(_), Ok(Word::Usage { message, hint })) => Err(Error::usage(message, hint)),
        (Ok(_), Ok(Word::Other { message, hint })) => Err(Error::external(what, message, hint)),
        _ => Err(Error::external(
            what,
            "ended without a word",
            "it was killed or lost its connection; start all processes again with the same \
             arguments, and the run goes on where it stopped",
        )),
    }
}

impl Word {
    fn of(error: &Error) -> Word {
        let hint = error.hint().to_owned();
        match error {
            Error::Fault { operator, epoch, message, .. } => {
                Word::Fault { operator: operator.clone(), epoch: *epoch, message: message.clone(), hint }
            }
            Error::Usage { message, .. } => Word::Usage { message: message.clone(), hint },
            other => Word::Other { message: other.to_string(), hint },
        }
    }
}

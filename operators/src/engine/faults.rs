//! A fault ends the run: the first one is kept, told to every process, and nothing passes it.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, Once, OnceLock, PoisonError};
use std::time::Duration;

use crate::{Error, Result};

type Listener = Box<dyn Fn(&Error) + Send + Sync>;

/// The place where workers and operators of a process report that a step broke.
///
/// An operator that fails raises its error and **keeps its capabilities**: dropping them would
/// tell every other worker that its epoch is complete. Workers stop stepping as soon as a fault is
/// raised, so that no frontier passes lost work, and the run ends with the first fault as its
/// error in every process.
#[derive(Clone, Default)]
pub struct Faults(Arc<Shared>);

#[derive(Default)]
struct Shared {
    first: OnceLock<Error>,
    listener: Mutex<Option<Listener>>,
}

thread_local! {
    /// What this thread works on, for the message of a panic.
    static WORK: RefCell<Option<(String, u64)>> = const { RefCell::new(None) };
}

impl Faults {
    /// Nothing raised yet.
    pub fn new() -> Self {
        Faults::default()
    }

    /// Ends the run with `error`, unless an earlier one did.
    pub fn raise(&self, error: Error) {
        let listener = lock(&self.0.listener);
        if self.0.first.set(error).is_ok()
            && let (Some(listener), Some(error)) = (listener.as_ref(), self.0.first.get())
        {
            listener(error);
        }
    }

    /// As [`raise`](Faults::raise), for an error that another process told: nobody is told again.
    pub(super) fn heard(&self, error: Error) {
        let _earlier_wins = self.0.first.set(error);
    }

    /// Calls `listener` with the first error that is raised here.
    pub(super) fn on_raise(&self, listener: Listener) {
        *lock(&self.0.listener) = Some(listener);
    }

    /// Whether the run is over.
    pub fn raised(&self) -> bool {
        self.0.first.get().is_some()
    }

    /// The fault as an error, if there is one.
    pub fn check(&self) -> Result<()> {
        match self.0.first.get() {
            Some(error) => Err(repeat(error)),
            None => Ok(()),
        }
    }

    /// Runs one step of an operator. A failure is raised with the operator and epoch in it, and so
    /// is a panic; in both cases the answer is `None`, and the operator must keep its capabilities.
    pub fn attempt<T>(&self, operator: &str, epoch: u64, step: impl FnOnce() -> Result<T>) -> Option<T> {
        self.attempt_at(operator, epoch, step).ok()
    }

    /// As [`attempt`](Faults::attempt), and returns the error as well.
    pub(super) fn attempt_at<T>(
        &self,
        operator: &str,
        epoch: u64,
        step: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let outer = WORK.replace(Some((operator.to_owned(), epoch)));
        let result = self.guard(step);
        WORK.set(outer);
        result
    }

    /// Gives the report of another process a moment to arrive: it says more than a lost connection.
    fn await_cause(&self) {
        for _ in 0..100 {
            if self.raised() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Runs `step`; raises its error or panic, under the name of the operator that was at work.
    pub(super) fn guard<T>(&self, step: impl FnOnce() -> Result<T>) -> Result<T> {
        let error = match catch_unwind(AssertUnwindSafe(step)) {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => match WORK.with_borrow(|work| work.clone()) {
                Some((operator, epoch)) => error.in_operator(&operator, epoch),
                None => error,
            },
            Err(panic) => panicked(&*panic),
        };
        if is_consequence(&error) {
            self.await_cause();
        }
        let copy = repeat(&error);
        self.raise(error);
        Err(copy)
    }
}

fn panicked(panic: &(dyn Any + Send)) -> Error {
    let message = panic_message(panic);
    let (operator, epoch) = WORK.with_borrow(|work| work.clone()).unwrap_or_else(|| ("worker".to_owned(), 0));
    Error::Fault {
        operator,
        epoch,
        message: format!("panicked: {message}"),
        hint: "this is a defect of the operator; the message above it says where".to_owned(),
    }
}

/// The text of a panic.
/// What a panic said.
pub fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

/// The same error once more: errors hold causes that cannot be cloned.
pub(super) fn repeat(error: &Error) -> Error {
    match error {
        Error::Data { place, message, hint } => Error::data((**place).clone(), message, hint),
        Error::Usage { message, hint } => Error::usage(message, hint),
        Error::Fault { operator, epoch, message, hint } => Error::Fault {
            operator: operator.clone(),
            epoch: *epoch,
            message: message.clone(),
            hint: hint.clone(),
        },
        Error::MissingSignal { recipe, signal, hint } => {
            Error::MissingSignal { recipe: recipe.clone(), signal: signal.clone(), hint: hint.clone() }
        }
        Error::Expression { expression, message, hint } => Error::expression(expression, message, hint),
        Error::External { what, source, hint } => Error::external(what, source.to_string(), hint),
    }
}

/// Panics that only follow from the end of another process or thread.
const CONSEQUENCES: [&str; 2] = ["timely communication error:", "MergeQueue poisoned"];

/// Whether a fault only follows from the end of another process or thread.
fn is_consequence(error: &Error) -> bool {
    matches!(error, Error::Fault { message, .. }
        if CONSEQUENCES.iter().any(|text| message.contains(text)))
}

/// Keeps timely's panics about lost connections out of the log, once per program, so that the log
/// points at the process that failed first.
pub(super) fn quieten_consequences() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let message = panic_message(info.payload());
            if CONSEQUENCES.iter().any(|text| message.starts_with(text)) {
                tracing::debug!("{message}");
            } else {
                usual(info);
            }
        }));
    });
}

/// Locks, whatever happened to other holders: the data behind our locks is valid at any moment.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_fault_wins_and_names_its_operator_and_epoch() {
        let faults = Faults::new();
        assert!(faults.check().is_ok());
        let failed = faults
            .attempt("normalize", 7, || -> Result<()> { Err(Error::usage("no such thing", "try another")) });
        assert!(failed.is_none());
        faults.raise(Error::usage("later", ""));
        let error = faults.check().unwrap_err();
        assert_eq!(error.to_string(), "operator normalize, epoch 7: no such thing");
        assert_eq!(error.hint(), "try another");
    }

    #[test]
    fn a_panic_is_a_fault_of_the_operator_at_work() {
        let faults = Faults::new();
        faults.attempt("judge", 3, || -> Result<()> { panic!("index {}", 5) });
        let error = faults.check().unwrap_err().to_string();
        assert_eq!(error, "operator judge, epoch 3: panicked: index 5");
    }
}

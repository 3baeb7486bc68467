//! Failures as a person reads them, and the exit status that they give.

use std::error::Error as _;
use std::process::ExitCode;

use meed::Error;

/// Prints the error, what caused it where that says more, and what to do. Returns 2 for a request
/// that cannot be served and 1 for everything else.
pub fn report(error: &Error) -> ExitCode {
    let message = error.to_string();
    eprintln!("error: {message}");
    let mut cause = error.source();
    while let Some(inner) = cause {
        let text = inner.to_string();
        if !text.is_empty() && !message.contains(&text) {
            eprintln!("  caused by: {text}");
        }
        cause = inner.source();
    }
    if !error.hint().is_empty() {
        eprintln!("  hint: {}", error.hint());
    }
    match error {
        Error::Usage { .. } => ExitCode::from(2),
        _ => ExitCode::FAILURE,
    }
}

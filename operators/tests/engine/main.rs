//! The engine as a user sees it: a source, a stage, a sink, on threads and processes.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr, clippy::print_stdout, clippy::unwrap_used)]

mod closed_loop;
mod faults;
mod gather;
mod live;
mod stored;
mod toy;

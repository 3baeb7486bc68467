//! Datasets are written once, read back equal, and queried; broken requests fail by name.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr, clippy::print_stdout, clippy::unwrap_used)]

mod commit_once;
mod faults;
mod formats;
mod rows;
mod sorting;
mod sql;
mod storing;

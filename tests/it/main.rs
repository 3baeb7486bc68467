//! End-to-end tests in one binary: they link everything, so they are linked once.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr, clippy::print_stdout, clippy::unwrap_used)]

mod beside;
mod bits;
mod cli;
mod documents;
mod faults;
mod licences;
mod readme;
mod real_data;
mod real_trees;
mod support;
#[cfg(feature = "model")]
mod training;

//! Completion and validation of rollouts: what is let through, what is rejected, and how it is said.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr, clippy::print_stdout, clippy::unwrap_used)]

mod completion;
mod properties;
mod rejections;
mod rows;

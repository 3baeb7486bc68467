//! Sampling with a policy and environments made up for the tests: rows, limits, failures, strategies.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr, clippy::print_stdout, clippy::unwrap_used)]

mod budgets;
mod environments;
mod fakes;
mod forks;
mod golden;
mod independent;
mod retries;
mod steps;
mod tree;

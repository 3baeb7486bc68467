//! Generation and scoring of local models, against plain loops and against themselves.
#![cfg(feature = "model")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, missing_docs)]

mod laws;
mod plain;
mod stories;
mod variants;

//! Files in and out: formats, slices of whole groups, broken input, and targets that appear whole.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr, clippy::print_stdout, clippy::unwrap_used)]

#[path = "files/broken.rs"]
mod broken;
#[path = "files/json_lines.rs"]
mod json_lines;
#[path = "files/made.rs"]
mod made;
#[path = "files/roundtrip.rs"]
mod roundtrip;
#[path = "files/sink.rs"]
mod sink;
#[path = "files/slices.rs"]
mod slices;

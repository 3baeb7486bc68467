//! The live pipeline with a model small enough to be written out: a table of logits by last token.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr, clippy::print_stdout, clippy::unwrap_used)]

mod bigram;
mod environments;
mod judges;
mod learned_judges;
mod runs;
mod same_bits;
mod stored;
mod tables;

//! Credit expressions against a naive reference, their laws, their checker and the operators that add signals.
#![allow(
    clippy::type_complexity,
    clippy::needless_range_loop,
    clippy::double_ended_iterator_last,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used
)]

mod any;
mod arrays;
mod checker;
mod data;
mod derived;
mod edges;
mod fuzz;
mod generator;
mod given_trees;
mod laws;
mod matching;
mod naive;
mod operators;
mod parsing;
mod primitives;
mod printing;
mod program;
mod recipes;
mod shape;
mod statistics;
mod trees;

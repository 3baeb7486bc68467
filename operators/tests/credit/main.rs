//! Credit expressions against a naive reference, their laws, their checker and the operators that add signals.

mod arrays;
mod checker;
mod data;
mod derived;
mod generator;
mod laws;
mod naive;
mod operators;
mod primitives;
mod printing;
mod program;
mod shape;
mod statistics;

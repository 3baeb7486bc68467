//! Objectives that are one method's own: their gradients against finite differences, and the numbers of
//! their equations.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod differences;
mod edges;
mod equations;
mod gradients;
mod steps;

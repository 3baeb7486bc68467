//! Columns and levels, credit expressions, operators and the dataflow engine of meed.

pub mod columns;
pub mod credit;
pub mod engine;
mod error;
pub mod judge;
#[cfg(feature = "model")]
pub mod model;
mod near;
pub mod objectives;
pub mod policy;
pub mod random;
pub mod sample;
pub mod signals;
pub mod tree;
pub mod update;

pub use error::{Error, Place, Result};
pub use near::near_names;

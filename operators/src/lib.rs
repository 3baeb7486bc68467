//! Columns and levels, credit expressions, operators and the dataflow engine of meed.

pub mod columns;
pub mod credit;
pub mod engine;
mod error;
pub mod signals;

pub use error::{Error, Place, Result};

//! What objectives have in common: parameters, and the parts that they build.

pub mod aggregate;
pub mod divergence;
pub mod function;
pub mod policy;
pub mod ratio;

//! What objectives have in common: parameters, and the parts that they build.

pub mod aggregate;
pub mod correction;
pub mod divergence;
pub mod function;
pub mod policy;
pub mod ratio;
pub mod terms;
pub mod weights;

//! What objectives have in common: parameters, and the parts that they build.

pub mod aggregate;
pub mod clip;
pub mod correction;
pub mod divergence;
pub mod function;
pub mod pairs;
pub mod policy;
pub mod ratio;
pub mod terms;
pub mod weights;

pub use aggregate::{AGGREGATE, aggregate_by};
pub use clip::{clip, clip_by};
pub use correction::correction;
pub use policy::{LIKELIHOOD, SEEN, policy, with_likelihood};
pub use ratio::{ANCHOR, SPAN, ratio, span_by};
pub use terms::{TERMS, value_loss};
pub use weights::WEIGHTS;

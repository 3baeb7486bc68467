//! Derived expressions: the field's named formulas as compositions of the primitives.

mod normalize;
mod sequences;

pub use normalize::{Center, Norm, Scale, Singleton, ZeroStd, normalize, whiten};
pub use sequences::{
    difference, gae, leave_one_out, min_max, min_to_go, return_to_go, softmax, softmin, top,
};

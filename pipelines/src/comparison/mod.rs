//! How recipes differ on the same rollouts: measures of each, agreement of each pair, and the rollouts
//! that they disagree about most.
//!
//! Credit is assigned twice. The first pass counts signs and how often each value occurs; from the counts
//! follow the ranks of all values, and the second pass adds up the products of ranks, which are whole
//! numbers. Sums are exact, so every number is the same for any order of rows, batches and workers. Memory
//! does not grow with the rollouts: see [`Measures::significant_bits`] for what that means for ranks.

mod contested;
mod credits;
mod distribution;
mod job;
mod measures;
mod observe;
mod pairs;
mod patterns;

pub use contested::Contested;
pub use credits::LEVELS;
pub use job::{CompareJob, Comparison, compare};
pub use measures::Measures;
pub use pairs::{Agreement, Pair};

//! Policy models in candle, trainable on the CPU.

mod attention;
mod backward;
mod checkpoint;
pub mod config;
pub mod forest;
mod generate;
mod gradients;
mod learner;
pub mod load;
pub mod ops;
pub mod packing;
pub mod tokenizer;
mod transformer;
pub mod weights;

pub use attention::LocalAttention;
pub use generate::LocalPolicy;
pub use learner::{LearnerOptions, LocalLearner};
pub use transformer::{Scored, Transformer};

#[cfg(test)]
mod tests;

//! Policy models in candle, trainable on the CPU.

pub mod config;
mod generate;
pub mod load;
pub mod tokenizer;
pub mod weights;

pub use generate::LocalPolicy;

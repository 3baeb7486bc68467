//! Policy models in candle, trainable on the CPU.

pub mod config;
pub mod weights;

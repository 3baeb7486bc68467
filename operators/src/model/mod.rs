//! Policy models in candle, trainable on the CPU.

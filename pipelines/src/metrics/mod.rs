//! Metrics of benchmarks, as functions of record batches of scores.

mod columns;
pub mod credit;
pub mod rewardbench_2;
pub mod wildbench;

//! Metrics of benchmarks and of credit, as functions of record batches of scores.

mod columns;
pub mod credit;
pub mod critical_steps;
pub mod rewardbench_2;
pub mod wildbench;

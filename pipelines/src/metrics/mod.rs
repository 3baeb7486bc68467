//! Metrics of benchmarks and of credit, as functions of record batches of scores.

mod columns;
<<<<<<< HEAD
pub mod credit_quality;
=======
pub mod credit;
>>>>>>> survey
pub mod rewardbench_2;
pub mod wildbench;

//! Tests of operations, forward and backward passes, and the learner.

mod learner;
mod operations;
mod plain;
mod transformer;

use candle_core::{Device, Tensor};
use rand::RngCore;

use crate::random::RandomKey;

/// Numbers in `[-1, 1)`, the same for a seed.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut generator = RandomKey::new(seed, 0, "numbers", "").at(0);
    (0..count).map(|_| (f64::from(generator.next_u32()) / f64::from(1u32 << 31) - 1.0) as f32).collect()
}

fn random(shape: &[usize], seed: u64) -> Tensor {
    Tensor::from_vec(numbers(shape.iter().product(), seed), shape, &Device::Cpu).unwrap()
}

fn flat(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| x.to_bits()).collect()
}

#[track_caller]
fn close(got: &[f32], want: &[f32], tolerance: f32) {
    assert_eq!(got.len(), want.len());
    for (i, (a, b)) in got.iter().zip(want).enumerate() {
        assert!((a - b).abs() <= tolerance * (1.0 + b.abs()), "element {i}: {a} and not {b}");
    }
}

/// Runs in a pool of so many threads.
fn with_threads<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}

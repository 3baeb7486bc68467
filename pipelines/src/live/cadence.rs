//! Placeholder until merged.
use meed_operators::random::RandomKey;
use rand::RngCore;
pub trait Schedule: Send + Sync {
    fn rate(&self, step: u64) -> f64;
}
pub struct Constant(f64);
impl Schedule for Constant {
    fn rate(&self, _: u64) -> f64 {
        self.0
    }
}
pub fn constant(rate: f64) -> Constant {
    Constant(rate)
}
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Minibatches {
    pub count: usize,
}
impl Minibatches {
    pub fn shuffled(count: usize, key: RandomKey) -> Vec<usize> {
        let mut keys: Vec<(u64, usize)> = (0..count).map(|i| (key.at(i as u64).next_u64(), i)).collect();
        keys.sort_unstable();
        keys.into_iter().map(|(_, i)| i).collect()
    }
    pub fn cut(&self, sizes: &[usize], _key: RandomKey) -> Vec<Vec<usize>> {
        vec![(0..sizes.len()).collect()]
    }
}

//! Random values that depend on what they are for and on nothing else.

/// SplitMix64.
#[derive(Clone, Copy)]
pub struct Draw(u64);

impl Draw {
    pub fn new(seed: u64) -> Self {
        Draw(seed)
    }

    /// Draws for one element of a column of a rollout.
    pub fn of(seed: u64, column: &str, element: usize) -> Self {
        let name = column.bytes().fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        let mut draw =
            Draw(seed ^ name.rotate_left(17) ^ (element as u64).wrapping_mul(0xa076_1d64_78bd_642f));
        draw.next();
        draw
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// True once in `n` times.
    pub fn once_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// A multiple of `1 / parts` in `low..=high`: coarse, so that ties are common.
    pub fn grid(&mut self, low: i64, high: i64, parts: u64) -> f64 {
        let steps = (high - low) as u64 * parts;
        low as f64 + self.below(steps + 1) as f64 / parts as f64
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    pub fn shuffle<T>(&mut self, values: &mut [T]) {
        for i in (1..values.len()).rev() {
            values.swap(i, self.below(i as u64 + 1) as usize);
        }
    }
}

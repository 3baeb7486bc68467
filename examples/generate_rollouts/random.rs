//! Randomness that depends on the seed, the rollout and a counter alone.

const SEED: u64 = 20_260_801;

/// Independent random numbers for one rollout: the n-th is a hash of the seed, the rollout and n.
pub struct Random {
    key: u64,
    drawn: u64,
}

impl Random {
    pub fn new(task: u64, member: u64) -> Self {
        Random { key: mix(mix(SEED ^ task) ^ member), drawn: 0 }
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.drawn += 1;
        mix(self.key ^ self.drawn) % bound
    }
}

/// The finaliser of splitmix64.
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

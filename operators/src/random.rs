//! Counter-based randomness: every draw is a function of where it is made, never of what came before.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use twox_hash::XxHash3_128;

/// What a draw depends on: the run's seed, the epoch, the group and the rollout.
///
/// Draws at different positions (tokens, turns) of one rollout are independent streams, so the same
/// token is drawn whatever was drawn before, in whichever order, batch or worker.
///
/// ```
/// use meed_operators::random::RandomKey;
/// use rand::RngCore;
/// let key = RandomKey::new(7, 0, "group", "rollout");
/// assert_eq!(key.at(3).next_u64(), key.at(3).next_u64());
/// assert_ne!(key.at(3).next_u64(), key.at(4).next_u64());
/// assert_ne!(key.at(3).next_u64(), RandomKey::new(7, 1, "group", "rollout").at(3).next_u64());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RandomKey {
    key: u128,
}

impl RandomKey {
    /// The key of a rollout. Where there is no group or rollout, an empty text stands for it.
    pub fn new(seed: u64, epoch: u64, group: &str, rollout: &str) -> Self {
        let mut bytes = Vec::with_capacity(32 + group.len() + rollout.len());
        bytes.extend(seed.to_le_bytes());
        bytes.extend(epoch.to_le_bytes());
        bytes.extend((group.len() as u64).to_le_bytes());
        bytes.extend(group.as_bytes());
        bytes.extend(rollout.as_bytes());
        RandomKey { key: XxHash3_128::oneshot(&bytes) }
    }

    /// A key of its own for something inside this one: a retry, an environment, a parameter's name.
    pub fn within(&self, name: &str) -> Self {
        let mut bytes = self.key.to_le_bytes().to_vec();
        bytes.extend(name.as_bytes());
        RandomKey { key: XxHash3_128::oneshot(&bytes) }
    }

    /// The generator at a position of the rollout.
    pub fn at(&self, position: u64) -> ChaCha8Rng {
        let mut seed = [0; 32];
        seed[..16].copy_from_slice(&self.key.to_le_bytes());
        let mut generator = ChaCha8Rng::from_seed(seed);
        generator.set_stream(position);
        generator
    }
}

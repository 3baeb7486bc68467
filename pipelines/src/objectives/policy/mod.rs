//! Objectives of a policy: ratio, clip or gate, weights, aggregate.

mod ppo_clip;

use super::NamedObjective;

/// In alphabetical order.
pub const POLICY: &[&NamedObjective] = &[&ppo_clip::PPO_CLIP];

//! Denoising steps as stochastic actions: their log-probabilities, guidance, and how samplers choose.
//!
//! Sigma runs from 1 (noise) to 0; a model gives the velocity `noise - clean` at a latent. A step is one
//! action, whose log-probability is the mean over the latent's elements. An objective gives the derivative
//! with respect to that log-probability ([`Loss::logprobs`](super::Loss::logprobs)), and
//! [`Step::logprob_gradient`] carries it to the velocity.

mod guidance;
mod particles;
mod schedule;
mod transition;
mod truncation;

pub use guidance::{Guidance, negative_reward_guidance, probed_gradient};
pub use particles::{effective_sample_size, resampled};
pub use schedule::{branch_noise, calibrated, shifted, trained_last, velocity_divergence};
pub use transition::{Sampler, Step, flow_deviation};
pub use truncation::{Truncation, truncated_gradient};

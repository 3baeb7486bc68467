//! judge: many rollouts, several judges, and judges that fail in every way.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod failing;
mod hashing;
mod levels;
mod likelihoods;
mod rollouts;
mod verifying;

//! Shaped rewards: recipes of kind `reward`, whose result other recipes read.

pub mod kl_in_reward;
pub mod linear_reward;
pub mod overlong_penalty;
pub mod truncated_reward;

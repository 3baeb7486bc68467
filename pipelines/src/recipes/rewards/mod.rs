//! Shaped rewards: recipes of kind `reward`, whose result other recipes read.

pub mod kl_in_reward;
pub mod linear_reward;
pub mod overlong_penalty;
pub mod truncated_reward;

use crate::recipe::Recipe;

/// The recipes of the family, in alphabetical order.
pub const RECIPES: &[&Recipe] = &[
    &kl_in_reward::KL_IN_REWARD,
    &linear_reward::LINEAR_REWARD,
    &overlong_penalty::OVERLONG_PENALTY,
    &truncated_reward::TRUNCATED_REWARD,
];

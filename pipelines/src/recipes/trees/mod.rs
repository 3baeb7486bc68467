//! Recipes that stand on trees of rollouts.

pub mod tempo;

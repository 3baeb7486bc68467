//! Token weights: which tokens of a rollout its outcome is put down to.

mod flowtracer;
mod hicra;
mod oreal;
mod preplan_anchor;
mod spae;
mod ucas;

use crate::recipe::Recipe;

/// The recipes of the family, in alphabetical order.
pub const RECIPES: &[&Recipe] = &[
    &flowtracer::FLOWTRACER,
    &hicra::HICRA,
    &oreal::OREAL,
    &preplan_anchor::PREPLAN_ANCHOR,
    &spae::SPAE,
    &ucas::UCAS,
];

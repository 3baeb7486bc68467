//! Token weights: which tokens of a rollout its outcome is put down to.

mod d3s;
mod delta_token;
mod flowtracer;
mod greater;
mod hicra;
mod masked_thought;
mod oreal;
mod preplan_anchor;
mod spae;
mod ucas;

use crate::recipe::Recipe;

/// The recipes of the family, in alphabetical order.
pub const RECIPES: &[&Recipe] = &[
    &d3s::D3S,
    &delta_token::DELTA_TOKEN,
    &flowtracer::FLOWTRACER,
    &greater::GREATER,
    &hicra::HICRA,
    &masked_thought::MASKED_THOUGHT,
    &oreal::OREAL,
    &preplan_anchor::PREPLAN_ANCHOR,
    &spae::SPAE,
    &ucas::UCAS,
];

//! Token weights: which tokens of a rollout its outcome is put down to.

pub mod adakd;
mod d3s;
mod delta_token;
mod flowtracer;
mod greater;
mod hicra;
mod masked_thought;
mod oreal;
mod preplan_anchor;
mod prl;
mod spae;
mod spro;
mod ucas;

use crate::recipe::Recipe;

/// The recipes of the family, in alphabetical order.
pub const RECIPES: &[&Recipe] = &[
    &adakd::ADAKD,
    &d3s::D3S,
    &delta_token::DELTA_TOKEN,
    &flowtracer::FLOWTRACER,
    &greater::GREATER,
    &hicra::HICRA,
    &masked_thought::MASKED_THOUGHT,
    &oreal::OREAL,
    &preplan_anchor::PREPLAN_ANCHOR,
    &prl::PRL,
    &spae::SPAE,
    &spro::SPRO,
    &ucas::UCAS,
];

//! Credit for what an agent or a writer does at a time: macro actions, words, environment actions.

mod evoenv;
mod genac;
mod ma_rlhf;
mod rl_mle;
mod sotopia_rl;
mod text2grad;
mod verpo;
mod vpr;
mod webstar;

use crate::recipe::Recipe;

/// The recipes of the family, in alphabetical order.
pub const RECIPES: &[&Recipe] = &[
    &evoenv::EVOENV,
    &genac::GENAC,
    &ma_rlhf::MA_RLHF,
    &rl_mle::RL_MLE,
    &sotopia_rl::SOTOPIA_RL,
    &text2grad::TEXT2GRAD,
    &verpo::VERPO,
    &vpr::VPR,
    &webstar::WEBSTAR,
];

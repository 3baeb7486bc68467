//! Recipes that redistribute an outcome over steps, and shape step rewards.

pub mod auto_mc_reward;
pub mod barfi;
pub mod calm;
pub mod dqc;
mod inputs;
pub mod lare;
pub mod oni;
pub mod text2reward;
pub mod wsrl;

use crate::recipe::Recipe;

/// The recipes of the family, in alphabetical order.
pub const RECIPES: &[&Recipe] = &[
    &auto_mc_reward::AUTO_MC_REWARD,
    &barfi::BARFI,
    &calm::CALM,
    &dqc::DQC,
    &lare::LARE,
    &oni::ONI,
    &text2reward::TEXT2REWARD,
    &wsrl::WSRL,
];

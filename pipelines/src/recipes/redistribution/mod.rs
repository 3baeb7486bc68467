//! Recipes that redistribute an outcome over steps, and shape step rewards.

mod acpo;
pub mod auto_mc_reward;
pub mod barfi;
pub mod calm;
pub mod dqc;
mod inputs;
pub mod lare;
pub mod oni;
mod prs;
mod red;
mod robo_dopamine;
mod rto;
mod sarm;
mod scar;
mod sweet_rl;
pub mod text2reward;
pub mod wsrl;

use crate::recipe::Recipe;

/// The recipes of the family, in alphabetical order.
pub const RECIPES: &[&Recipe] = &[
    &acpo::ACPO,
    &auto_mc_reward::AUTO_MC_REWARD,
    &barfi::BARFI,
    &calm::CALM,
    &dqc::DQC,
    &lare::LARE,
    &oni::ONI,
    &prs::PRS,
    &red::RED,
    &robo_dopamine::ROBO_DOPAMINE,
    &rto::RTO,
    &sarm::SARM,
    &scar::SCAR,
    &sweet_rl::SWEET_RL,
    &text2reward::TEXT2REWARD,
    &wsrl::WSRL,
];

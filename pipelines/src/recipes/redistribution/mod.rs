//! Recipes that redistribute an outcome over steps, and shape step rewards.

mod acpo;
mod prs;
mod red;
mod robo_dopamine;
mod rto;
mod sarm;
mod scar;
mod sweet_rl;

use crate::recipe::Recipe;

/// The recipes of the family, in alphabetical order.
pub const RECIPES: &[&Recipe] = &[
    &acpo::ACPO,
    &prs::PRS,
    &red::RED,
    &robo_dopamine::ROBO_DOPAMINE,
    &rto::RTO,
    &sarm::SARM,
    &scar::SCAR,
    &sweet_rl::SWEET_RL,
];

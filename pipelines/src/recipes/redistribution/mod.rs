//! Recipes that redistribute an outcome over steps, and shape step rewards.

mod acpo;
mod prs;
mod red;
mod rto;
mod scar;
mod sweet_rl;

use crate::recipe::Recipe;

/// The recipes of the family, in alphabetical order.
pub const RECIPES: &[&Recipe] =
    &[&acpo::ACPO, &prs::PRS, &red::RED, &rto::RTO, &scar::SCAR, &sweet_rl::SWEET_RL];

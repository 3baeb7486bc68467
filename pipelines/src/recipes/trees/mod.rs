//! Recipes that stand on trees of rollouts.

pub mod itool;
pub mod srm_study;
pub mod tempo;
pub mod tree_topology_rm;

use crate::recipe::Recipe;

/// The recipes of the family, in alphabetical order.
pub const RECIPES: &[&Recipe] =
    &[&itool::ITOOL, &srm_study::SRM_STUDY, &tempo::TEMPO, &tree_topology_rm::TREE_TOPOLOGY_RM];

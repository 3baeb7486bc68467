//! Recipes that stand on trees of rollouts.

pub mod a3;
pub mod appo;
pub mod carl;
pub mod itool;
pub mod portool;
pub mod salt;
pub mod slate;
pub mod spo;
pub mod srm_study;
pub mod tempo;
pub mod tree_topology_rm;
pub mod treeps_rag;
pub mod treerl;
pub mod treerpo;
pub mod vineppo;

use crate::recipe::Recipe;

/// The recipes of the family, in alphabetical order.
pub const RECIPES: &[&Recipe] = &[
    &a3::A3,
    &appo::APPO,
    &carl::CARL,
    &itool::ITOOL,
    &portool::PORTOOL,
    &salt::SALT,
    &slate::SLATE,
    &spo::SPO,
    &srm_study::SRM_STUDY,
    &tempo::TEMPO,
    &tree_topology_rm::TREE_TOPOLOGY_RM,
    &treeps_rag::TREEPS_RAG,
    &treerl::TREERL,
    &treerpo::TREERPO,
    &vineppo::VINEPPO,
];

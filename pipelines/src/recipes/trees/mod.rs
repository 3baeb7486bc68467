//! Recipes that stand on trees of rollouts.

pub mod a3;
pub mod appo;
pub mod carl;
pub mod portool;
pub mod salt;
pub mod slate;
pub mod spo;
pub mod tempo;
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
    &portool::PORTOOL,
    &salt::SALT,
    &slate::SLATE,
    &spo::SPO,
    &tempo::TEMPO,
    &treeps_rag::TREEPS_RAG,
    &treerl::TREERL,
    &treerpo::TREERPO,
    &vineppo::VINEPPO,
];

//! Recipes of the family `trees`.

mod a3;
mod appo;
mod nodes;
mod pairs;
mod slate;
mod tempo;
mod values;

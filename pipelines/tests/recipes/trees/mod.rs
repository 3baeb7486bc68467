//! Recipes of the family `trees`.

mod a3;
mod appo;
mod slate;
mod tempo;

//! Recipes of the family `trees`.

mod pairs;
mod tempo;

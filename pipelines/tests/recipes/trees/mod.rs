//! Recipes of the family `trees`.

mod tempo;

//! Recipes of the family `process`.

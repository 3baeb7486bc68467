//! Recipes of the family `turns`.

//! Recipes of the family `agents`.

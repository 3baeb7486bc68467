//! Recipes of the family `actions`.

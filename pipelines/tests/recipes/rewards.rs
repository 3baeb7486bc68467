//! Recipes of the family `rewards`.

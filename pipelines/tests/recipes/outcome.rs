//! Recipes of the family `outcome`.

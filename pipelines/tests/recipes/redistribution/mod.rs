//! Recipes of the family `redistribution`.

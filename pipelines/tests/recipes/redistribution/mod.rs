//! Recipes of the family `redistribution`.

mod robots;

//! Recipes of the family `redistribution`.

mod dense;
mod robots;
mod sweet_rl;

//! Recipes of the family `redistribution`.

mod dense;
mod sweet_rl;

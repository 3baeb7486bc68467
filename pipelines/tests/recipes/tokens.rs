//! Recipes of the family `tokens`.

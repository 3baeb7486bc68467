//! Recipes of the family `denoising`.

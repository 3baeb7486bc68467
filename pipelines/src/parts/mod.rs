//! Parts that recipes share: shaped rewards, normalisation, divergence, returns, whitening.

pub mod dense;
pub mod divergence;
pub mod group;
pub mod norm;
pub mod outcome;
pub mod quantile;
pub mod returns;
pub mod reward;
pub mod shaped;
pub mod steps;
pub mod tree;
pub mod votes;
pub mod whitening;

//! Parts that recipes share: shaped rewards, normalisation, divergence, returns, whitening.

pub mod agents;
pub mod coalitions;
pub mod denoising;
pub mod dense;
pub mod divergence;
pub mod episodes;
pub mod group;
pub mod nodes;
pub mod norm;
pub mod outcome;
pub mod quantile;
pub mod returns;
pub mod reward;
pub mod shaped;
pub mod siblings;
pub mod sources;
pub mod stages;
pub mod steps;
pub mod tree;
pub mod turn_values;
pub mod turns;
pub mod two_roles;
pub mod units;
pub mod votes;
pub mod whitening;
pub mod written;

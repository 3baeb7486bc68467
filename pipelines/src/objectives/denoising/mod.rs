//! Objectives over denoising steps. A position of a rollout is one step (or edge of a tree): its
//! log-probability is the mean over latent elements, and its mask says whether it is trained.

pub mod branch_grpo;
pub mod dance_grpo;
pub mod flow_grpo;
mod steps;
pub mod tempflow_grpo;

#[cfg(test)]
mod tests;

use super::NamedObjective;

/// In alphabetical order.
pub const DENOISING: &[&NamedObjective] = &[
    &branch_grpo::BRANCH_GRPO,
    &dance_grpo::DANCE_GRPO,
    &flow_grpo::FLOW_GRPO,
    &tempflow_grpo::TEMPFLOW_GRPO,
];

/// What is known of each one's source, and where it deviates.
pub const FIDELITY: &[(&str, &str)] = &[
    ("branch_grpo", branch_grpo::FIDELITY),
    ("dance_grpo", dance_grpo::FIDELITY),
    ("flow_grpo", flow_grpo::FIDELITY),
    ("tempflow_grpo", tempflow_grpo::FIDELITY),
];

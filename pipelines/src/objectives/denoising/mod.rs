//! Objectives over denoising steps. A position of a rollout is one step (or edge of a tree, or cell of a latent): its
//! log-probability is the mean over latent elements, and its mask says whether it is trained.

pub mod ac_flow;
pub mod branch_grpo;
pub mod dance_grpo;
pub mod euphonium;
pub mod flow_grpo;
pub mod gdro;
pub mod srum;
mod steps;
pub mod tempflow_grpo;

#[cfg(test)]
mod tests;

use super::NamedObjective;

/// In alphabetical order.
pub const DENOISING: &[&NamedObjective] = &[
    &ac_flow::AC_FLOW,
    &branch_grpo::BRANCH_GRPO,
    &dance_grpo::DANCE_GRPO,
    &euphonium::EUPHONIUM,
    &flow_grpo::FLOW_GRPO,
    &gdro::GDRO,
    &srum::SRUM,
    &tempflow_grpo::TEMPFLOW_GRPO,
];

/// What is known of each one's source, and where it deviates.
pub const FIDELITY: &[(&str, &str)] = &[
    ("ac_flow", ac_flow::FIDELITY),
    ("branch_grpo", branch_grpo::FIDELITY),
    ("dance_grpo", dance_grpo::FIDELITY),
    ("euphonium", euphonium::FIDELITY),
    ("flow_grpo", flow_grpo::FIDELITY),
    ("gdro", gdro::FIDELITY),
    ("srum", srum::FIDELITY),
    ("tempflow_grpo", tempflow_grpo::FIDELITY),
];

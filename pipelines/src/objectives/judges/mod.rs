//! Objectives of judges that learn beside the policy. A batch holds the judge's own log-probabilities (or
//! values): gradients are with respect to them.

pub mod implicit_prm;
pub mod istar;
pub mod prime;
pub mod spa_rl;

#[cfg(test)]
mod tests;

use super::NamedObjective;

/// In alphabetical order.
pub const JUDGES: &[&NamedObjective] =
    &[&implicit_prm::IMPLICIT_PRM, &istar::ISTAR, &prime::PRIME, &spa_rl::SPA_RL];

/// What is known of each one's source, and where it deviates.
pub const FIDELITY: &[(&str, &str)] = &[
    ("implicit_prm", implicit_prm::FIDELITY),
    ("istar", istar::FIDELITY),
    ("prime", prime::FIDELITY),
    ("spa_rl", spa_rl::FIDELITY),
];

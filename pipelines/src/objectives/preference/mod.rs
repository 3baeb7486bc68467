//! Objectives on pairs or groups of rollouts of which some are preferred.

pub mod aft;
pub mod basereward;
pub mod bradley_terry;
pub mod bradley_terry_ties;
pub mod dpo;
pub mod flow_dpo;
pub mod helpsteer2_steerlm2;
pub mod mm_rlhf;
pub mod pit;
pub mod power_dl;
pub mod r_to_q;
pub mod rise;
pub mod solireward;
pub mod specs;
pub mod steporlm;
pub mod sweet_rl;
pub mod t_reg;
pub mod tgdpo;

#[cfg(test)]
mod reward_models;
#[cfg(test)]
mod tests;

use super::NamedObjective;

/// In alphabetical order.
pub const PREFERENCE: &[&NamedObjective] = &[
    &aft::AFT,
    &basereward::BASEREWARD,
    &bradley_terry::BRADLEY_TERRY,
    &bradley_terry_ties::BRADLEY_TERRY_TIES,
    &dpo::DPO,
    &flow_dpo::FLOW_DPO,
    &helpsteer2_steerlm2::HELPSTEER2_STEERLM2,
    &mm_rlhf::MM_RLHF,
    &pit::PIT,
    &power_dl::POWER_DL,
    &r_to_q::R_TO_Q,
    &rise::RISE,
    &solireward::SOLIREWARD,
    &specs::SPECS,
    &steporlm::STEPORLM,
    &sweet_rl::SWEET_RL,
    &t_reg::T_REG,
    &tgdpo::TGDPO,
];

/// What is known of each one's source, and where it deviates.
pub const FIDELITY: &[(&str, &str)] = &[
    ("aft", aft::FIDELITY),
    ("basereward", basereward::FIDELITY),
    ("bradley_terry", bradley_terry::FIDELITY),
    ("bradley_terry_ties", bradley_terry_ties::FIDELITY),
    ("dpo", dpo::FIDELITY),
    ("flow_dpo", flow_dpo::FIDELITY),
    ("helpsteer2_steerlm2", helpsteer2_steerlm2::FIDELITY),
    ("mm_rlhf", mm_rlhf::FIDELITY),
    ("pit", pit::FIDELITY),
    ("power_dl", power_dl::FIDELITY),
    ("r_to_q", r_to_q::FIDELITY),
    ("rise", rise::FIDELITY),
    ("solireward", solireward::FIDELITY),
    ("specs", specs::FIDELITY),
    ("steporlm", steporlm::FIDELITY),
    ("sweet_rl", sweet_rl::FIDELITY),
    ("t_reg", t_reg::FIDELITY),
    ("tgdpo", tgdpo::FIDELITY),
];

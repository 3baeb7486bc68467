//! Objectives that are one method's own, in one file each.

pub mod a2tgpo;
pub mod a3;
pub mod appo;
pub mod archer;
pub mod carr;
pub mod descore;
pub mod dqc;
pub mod guide;
pub mod habc;
pub mod lare;
pub mod light_if_sft;
pub mod light_if_tea;
pub mod ma_rlhf;
pub mod oreal;
pub mod poad;
pub mod prorag;
pub mod r3l;
pub mod rwr;
pub mod sarm;
pub mod score_two_attempt;
pub mod slate;
pub mod sorl;
pub mod target_decoupling;
pub mod text2grad;
pub mod tsallis;

use super::NamedObjective;

/// In alphabetical order.
pub const RECIPES: &[&NamedObjective] = &[
    &a2tgpo::A2TGPO,
    &a3::A3,
    &appo::APPO,
    &archer::ARCHER,
    &carr::CARR,
    &descore::DESCORE,
    &dqc::DQC,
    &guide::GUIDE,
    &habc::HABC,
    &lare::LARE,
    &light_if_sft::LIGHT_IF_SFT,
    &light_if_tea::LIGHT_IF_TEA,
    &ma_rlhf::MA_RLHF,
    &oreal::OREAL,
    &poad::POAD,
    &prorag::PRORAG,
    &r3l::R3L,
    &rwr::RWR,
    &sarm::SARM,
    &score_two_attempt::SCORE_TWO_ATTEMPT,
    &slate::SLATE,
    &sorl::SORL,
    &target_decoupling::TARGET_DECOUPLING,
    &text2grad::TEXT2GRAD,
    &tsallis::TSALLIS,
];

/// How far an objective of this family agrees with its reference, and what is guessed.
pub const FIDELITY: &[(&str, &str)] = &[
    ("a2tgpo", a2tgpo::FIDELITY),
    ("a3", a3::FIDELITY),
    ("appo", appo::FIDELITY),
    ("archer", archer::FIDELITY),
    ("carr", carr::FIDELITY),
    ("descore", descore::FIDELITY),
    ("dqc", dqc::FIDELITY),
    ("guide", guide::FIDELITY),
    ("habc", habc::FIDELITY),
    ("lare", lare::FIDELITY),
    ("light_if_sft", light_if_sft::FIDELITY),
    ("light_if_tea", light_if_tea::FIDELITY),
    ("ma_rlhf", ma_rlhf::FIDELITY),
    ("oreal", oreal::FIDELITY),
    ("poad", poad::FIDELITY),
    ("prorag", prorag::FIDELITY),
    ("r3l", r3l::FIDELITY),
    ("rwr", rwr::FIDELITY),
    ("sarm", sarm::FIDELITY),
    ("score_two_attempt", score_two_attempt::FIDELITY),
    ("slate", slate::FIDELITY),
    ("sorl", sorl::FIDELITY),
    ("target_decoupling", target_decoupling::FIDELITY),
    ("text2grad", text2grad::FIDELITY),
    ("tsallis", tsallis::FIDELITY),
];

//! Process rewards: scores of steps by a judge, turned into credit.

mod capo;
mod clip_and_delta;
mod g_ra;
mod grounded_prm;
mod hrm;
mod implicit_prm;
pub mod inputs;
mod pav;
mod ppr;
mod prime;
mod prorag;
mod pure;
mod spark;
mod tp_grpo;
mod vsrm;

use crate::recipe::Recipe;

pub use inputs::{TOKEN_PRM_LOGPROBS, TOKEN_REF_LOGPROBS, TOKEN_VALUES};

/// The recipes of the family, in alphabetical order.
pub const RECIPES: &[&Recipe] = &[
    &capo::CAPO,
    &clip_and_delta::CLIP_AND_DELTA,
    &g_ra::G_RA,
    &grounded_prm::GROUNDED_PRM,
    &hrm::HRM,
    &implicit_prm::IMPLICIT_PRM,
    &pav::PAV,
    &ppr::PPR,
    &prime::PRIME,
    &prorag::PRORAG,
    &pure::PURE,
    &spark::SPARK,
    &tp_grpo::TP_GRPO,
    &vsrm::VSRM,
];

//! Recipes for the denoising steps of diffusion and flow models.

mod ac_flow;
mod alignprop;
mod b2_diffurl;
mod branch_grpo;
mod branch_pruning;
mod dance_grpo;
mod dense_grpo;
mod dynamic_cfg;
mod euphonium;
mod fk_steering;
mod flow_dpo_rwr_nrg;
mod flow_grpo;
mod instructvideo;
mod srum;
mod tempflow_grpo;
mod turning_point_grpo;
mod turning_points;
mod vgpo;

use crate::recipe::Recipe;

/// The recipes of the family, in alphabetical order.
pub const RECIPES: &[&Recipe] = &[
    &ac_flow::AC_FLOW,
    &alignprop::ALIGNPROP,
    &b2_diffurl::B2_DIFFURL,
    &branch_grpo::BRANCH_GRPO,
    &dance_grpo::DANCE_GRPO,
    &dense_grpo::DENSE_GRPO,
    &dynamic_cfg::DYNAMIC_CFG,
    &euphonium::EUPHONIUM,
    &fk_steering::FK_STEERING,
    &flow_dpo_rwr_nrg::FLOW_DPO_RWR_NRG,
    &flow_grpo::FLOW_GRPO,
    &instructvideo::INSTRUCTVIDEO,
    &srum::SRUM,
    &tempflow_grpo::TEMPFLOW_GRPO,
    &turning_point_grpo::TURNING_POINT_GRPO,
    &vgpo::VGPO,
];

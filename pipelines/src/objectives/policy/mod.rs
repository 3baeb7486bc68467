//! Objectives of a policy: ratio, surrogate, weights, aggregate.

mod calibrated_is;
mod cispo;
mod clip_cov;
mod dapo;
mod dppo_kl;
mod dppo_tv;
mod dr_grpo;
mod dro;
mod gmpo;
mod gpg;
mod gspo;
mod importance_sampling;
mod ipo_tv;
mod kl;
mod kl_cov;
mod luspo;
mod minirl;
mod negative_log_likelihood;
mod on_policy;
mod ppo_clip;
mod real;
mod reinforce;
mod reverse_kl_to_reference;
mod sapo;
mod squared_log_ratio_reinforce;
mod tis;
mod token_components;
mod topr;
mod value_loss;
mod vespo;

use super::NamedObjective;

/// What is known of the source of those that stand for a method, and where they deviate.
pub const FIDELITY: &[(&str, &str)] = &[("minirl", minirl::FIDELITY), ("real", real::FIDELITY)];

/// In alphabetical order.
pub const POLICY: &[&NamedObjective] = &[
    &calibrated_is::CALIBRATED_IS,
    &cispo::CISPO,
    &clip_cov::CLIP_COV,
    &dapo::DAPO,
    &dppo_kl::DPPO_KL,
    &dppo_tv::DPPO_TV,
    &dr_grpo::DR_GRPO,
    &dro::DRO,
    &gmpo::GMPO,
    &gpg::GPG,
    &gspo::GSPO,
    &importance_sampling::IMPORTANCE_SAMPLING,
    &ipo_tv::IPO_TV,
    &kl::KL,
    &kl_cov::KL_COV,
    &luspo::LUSPO,
    &minirl::MINIRL,
    &negative_log_likelihood::NEGATIVE_LOG_LIKELIHOOD,
    &on_policy::ON_POLICY,
    &ppo_clip::PPO_CLIP,
    &real::REAL,
    &reinforce::REINFORCE,
    &reverse_kl_to_reference::REVERSE_KL_TO_REFERENCE,
    &sapo::SAPO,
    &squared_log_ratio_reinforce::SQUARED_LOG_RATIO_REINFORCE,
    &tis::TIS,
    &token_components::TOKEN_COMPONENTS,
    &topr::TOPR,
    &value_loss::VALUE_LOSS,
    &vespo::VESPO,
];

//! KL-Cov: a penalty on the tokens of highest covariance.

use meed_operators::objectives::KlCov;

use crate::objectives::NamedObjective;
use crate::objectives::parts::{AGGREGATE, ANCHOR, SEEN, SPAN, TERMS, WEIGHTS, policy};
use crate::parameters::{Parameter, parameter};

const PARAMETERS: &[Parameter] = &[
    parameter("cov_fraction", "2e-4", "fraction of the trainable tokens that is penalised, at least one"),
    parameter("kl_coef", "1", "coefficient of the penalty"),
];

/// `-A r, + kl_coef |log r| on the top cov_fraction of tokens`.
pub const KL_COV: NamedObjective = NamedObjective {
    name: "kl_cov",
    title: "no clip, and |log r| on the tokens of highest covariance",
    citation: "Cui et al. 2025, arXiv 2505.22617",
    formula: "-A r, + kl_coef |log r| on the top cov_fraction of tokens",
    parameters: &[PARAMETERS, ANCHOR, &SPAN, SEEN, WEIGHTS, &AGGREGATE, TERMS],
    build: |parameters| {
        let (fraction, coef) = (parameters.number("cov_fraction")?, parameters.number("kl_coef")?);
        Ok(Box::new(policy("kl_cov", parameters, KlCov { fraction, coef })?))
    },
};

//! Parameters of the divergence in the loss.

use meed_operators::Result;
use meed_operators::objectives::{Anchor, Divergence, Estimator, Importance};
use serde_json::Value;

use crate::parameters::{Parameter, Parameters, parameter};

const FIELDS: &[&str] =
    &["coef", "estimator", "clamp_log_ratio", "clamp_value", "straight_through", "importance"];

/// The divergence from the reference policy in the loss.
pub const KL: &[Parameter] = &[parameter(
    "kl",
    "null",
    "null, or {coef, estimator: k1, k2, k3, abs, clamp_log_ratio, clamp_value, straight_through, importance: ratio, rollout_ratio, detached_ratio, score_function}",
)];

/// The divergence of the parameter `kl`.
///
/// # Errors
/// Unknown fields and values, by name.
pub fn divergence(parameters: &Parameters) -> Result<Option<Divergence>> {
    let Some(fields) = parameters.object("kl", FIELDS)? else {
        return Ok(None);
    };
    let estimator = match fields.text("estimator")? {
        "k1" => Estimator::K1,
        "k2" => Estimator::K2,
        "k3" | "" => Estimator::K3,
        "abs" => Estimator::Abs,
        _ => return Err(fields.unknown("estimator", &["k1", "k2", "k3", "abs"])),
    };
    let importance = match fields.text("importance")? {
        "" => Importance::None,
        "ratio" => Importance::Ratio(Anchor::Old),
        "rollout_ratio" => Importance::Ratio(Anchor::Rollout),
        "detached_ratio" => Importance::DetachedRatio(Anchor::Old),
        "score_function" => Importance::Ratio(Anchor::Current),
        _ => {
            let known = ["ratio", "rollout_ratio", "detached_ratio", "score_function"];
            return Err(fields.unknown("importance", &known));
        }
    };
    let straight_through = match fields.get("straight_through") {
        Value::Null => false,
        value => value.as_bool().ok_or_else(|| fields.unknown("straight_through", &["true", "false"]))?,
    };
    Ok(Some(Divergence {
        coef: fields.number("coef")?.unwrap_or(0.0),
        estimator,
        clamp_log_ratio: fields.number("clamp_log_ratio")?,
        clamp_value: fields.number("clamp_value")?,
        straight_through,
        importance,
        aggregate: None,
    }))
}

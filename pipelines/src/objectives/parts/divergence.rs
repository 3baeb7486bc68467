//! Parameters of the divergence in the loss.

use meed_operators::objectives::{Anchor, Divergence, Estimator, Importance};
use meed_operators::{Error, Result};
use serde::Deserialize;
use serde_json::Value;

/// What the parameter `kl` may be.
pub const KL_MEANING: &str = "null, or {coef, estimator: k1, k2, k3, abs; clamp_log_ratio, clamp_value, straight_through (value of the estimator, gradient of k2), importance: ratio, rollout_ratio, detached_ratio, score_function}";

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    coef: f64,
    #[serde(default)]
    estimator: Name,
    clamp_log_ratio: Option<f64>,
    clamp_value: Option<f64>,
    #[serde(default)]
    straight_through: bool,
    importance: Option<Weight>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Name {
    K1,
    K2,
    #[default]
    K3,
    Abs,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Weight {
    Ratio,
    RolloutRatio,
    DetachedRatio,
    ScoreFunction,
}

/// The divergence of a value of the parameter `kl`; `None` where null.
///
/// # Errors
/// Unknown fields and values, by name.
pub fn divergence(value: &Value) -> Result<Option<Divergence>> {
    if value.is_null() {
        return Ok(None);
    }
    let given: Given = serde_json::from_value(value.clone())
        .map_err(|error| Error::usage(format!("kl {value}: {error}"), format!("kl is {KL_MEANING}")))?;
    Ok(Some(Divergence {
        coef: given.coef,
        estimator: match given.estimator {
            Name::K1 => Estimator::K1,
            Name::K2 => Estimator::K2,
            Name::K3 => Estimator::K3,
            Name::Abs => Estimator::Abs,
        },
        clamp_log_ratio: given.clamp_log_ratio,
        clamp_value: given.clamp_value,
        straight_through: given.straight_through,
        importance: match given.importance {
            None => Importance::None,
            Some(Weight::Ratio) => Importance::Ratio(Anchor::Old),
            Some(Weight::RolloutRatio) => Importance::Ratio(Anchor::Rollout),
            Some(Weight::DetachedRatio) => Importance::DetachedRatio(Anchor::Old),
            Some(Weight::ScoreFunction) => Importance::Ratio(Anchor::Current),
        },
        aggregate: None,
    }))
}

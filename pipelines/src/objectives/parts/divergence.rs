//! Parameters of the divergence in the loss.

use meed_operators::objectives::{Adaptation, Anchor, Divergence, Estimator, Importance, KlController};
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
    adaptive: Option<Adaptive>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Adaptive {
    target: f64,
    horizon: f64,
    error_clip: Option<f64>,
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
/// Unknown fields and values, by name; `adaptive`, which only [`controller`] reads.
pub fn divergence(value: &Value) -> Result<Option<Divergence>> {
    let given = read(value)?;
    if given.as_ref().is_some_and(|given| given.adaptive.is_some()) {
        return Err(Error::usage(
            format!("kl {value}: an objective has a fixed coefficient"),
            "a program of one's own adapts it between updates with objectives::parts::divergence::controller",
        ));
    }
    Ok(given.map(|given| Divergence {
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

/// The controller of the coefficient in a value of the parameter `kl`; `None` where null. After an update
/// the objective is built again with the coefficient that it gives.
///
/// # Errors
/// Unknown fields and values, by name.
pub fn controller(value: &Value) -> Result<Option<KlController>> {
    Ok(read(value)?.map(|given| match given.adaptive {
        None => KlController::fixed(given.coef),
        Some(adaptive) => KlController {
            coef: given.coef,
            adaptation: Some(Adaptation {
                target: adaptive.target,
                horizon: adaptive.horizon,
                error_clip: adaptive.error_clip.unwrap_or(0.2),
            }),
        },
    }))
}

fn read(value: &Value) -> Result<Option<Given>> {
    if value.is_null() {
        return Ok(None);
    }
    serde_json::from_value(value.clone())
        .map(Some)
        .map_err(|error| Error::usage(format!("kl {value}: {error}"), format!("kl is {KL_MEANING}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn unknown_fields_fail_by_name_and_controllers_adapt() {
        let error = divergence(&json!({"coef": 0.1, "estimater": "k3"})).unwrap_err();
        assert!(error.to_string().contains("estimater"), "{error}");
        let kl = json!({"coef": 0.001, "adaptive": {"target": 0.1, "horizon": 10000}});
        let mut controller = controller(&kl).unwrap().unwrap();
        assert!((controller.update(0.2, 1024.0) - 0.00102048).abs() < 1e-12);
        assert!(divergence(&kl).unwrap_err().to_string().contains("fixed coefficient"));
        assert_eq!(divergence(&Value::Null).unwrap(), None);
    }
}

//! From the words of golden vectors about off-policy corrections to the parameter `correction`.

use meed_operators::Result;
use serde_json::{Map, Value, json};

use super::{DESCRIPTIVE_VERSIONS, unknown};

/// The parameter `correction` that the words of a case mean.
///
/// # Errors
/// A word or value that is not known, by name.
pub fn correction(params: &Map<String, Value>) -> Result<Value> {
    let kind = params.get("kind").cloned().unwrap_or_default();
    let known: &[&str] = match kind.as_str().unwrap_or_default() {
        "is" | "tis" | "icepop" => return weighted(params),
        "mask, weight kept" => return kept(params),
        "mask" => return mask(params),
        "rejection" => return rejection(params),
        "sequence_mask, weight kept" => &["metric", "lower", "upper"],
        "sequence mask by geometric mean, raw token weights" => &["level", "lower", "upper"],
        "token_mask" => &["lower", "upper"],
        "sequence_mask" | "outlier_sequence_mask" => &["metric", "lower", "upper"],
        "token_mask, then tis, then sequence_mask on the remaining tokens" => {
            &["token_lower", "token_upper", "tis_upper", "metric", "lower", "upper"]
        }
        "total variation mask" => &["statistic", "upper", "rows", "clamp_log_ratio"],
        "tis + icepop" => &["level", "mask_lower", "mask_upper", "clamp_upper", "clamp_log_ratio"],
        "second moment filter" => &["threshold", "rule", "scope"],
        _ => return Err(unknown("kind", &kind)),
    };
    let always = ["stage", "kind"];
    if let Some((word, value)) =
        params.iter().find(|(word, _)| !known.contains(&word.as_str()) && !always.contains(&word.as_str()))
    {
        return Err(unknown(word, value));
    }
    let at = |word: &str| params.get(word).cloned().unwrap_or_default();
    let (lower, upper) = (at("lower"), at("upper"));
    Ok(match kind.as_str().unwrap_or_default() {
        "sequence_mask, weight kept" => {
            json!({"kind": "mask", "level": pool(&at("metric"))?, "weight": "token", "lower": lower, "upper": upper})
        }
        "sequence mask by geometric mean, raw token weights" => {
            json!({"kind": "mask", "level": "geometric", "weight": "token", "lower": lower, "upper": upper})
        }
        "token_mask" => json!({"kind": "mask", "level": "token", "lower": lower, "upper": upper}),
        "sequence_mask" => {
            json!({"kind": "mask", "level": pool(&at("metric"))?, "lower": lower, "upper": upper})
        }
        "outlier_sequence_mask" => json!({"kind": "mask", "level": "any", "lower": lower, "upper": upper}),
        "total variation mask" => {
            json!({"kind": "total_variation", "upper": upper, "clamp_log_ratio": at("clamp_log_ratio")})
        }
        "tis + icepop" => json!([
            {"kind": "mask", "lower": at("mask_lower"), "upper": at("mask_upper"), "clamp_log_ratio": at("clamp_log_ratio")},
            {"kind": "tis", "upper": at("clamp_upper"), "clamp_log_ratio": at("clamp_log_ratio")},
        ]),
        "second moment filter" => json!({"kind": "second_moment", "upper": at("threshold")}),
        _ => json!([
            {"kind": "mask", "lower": at("token_lower"), "upper": at("token_upper")},
            {"kind": "tis", "upper": at("tis_upper")},
            {"kind": "mask", "level": pool(&at("metric"))?, "lower": lower, "upper": upper, "of_kept": true},
        ]),
    })
}

fn pool(metric: &Value) -> Result<&'static str> {
    match metric.as_str() {
        Some("geometric mean") => Ok("geometric"),
        Some("product") => Ok("sequence"),
        _ => Err(unknown("metric", metric)),
    }
}

fn level(value: &Value) -> Result<&'static str> {
    Ok(match value.as_str() {
        Some("token") => "token",
        Some("sequence" | "sequence (sum)" | "sequence (sum in log space)") => "sequence",
        Some(
            "geometric"
            | "sequence (geometric mean)"
            | "sequence (mean)"
            | "sequence (mean in log space)"
            | "sequence (geometric mean, also used as the weight)",
        ) => "geometric",
        Some("sequence (max)" | "sequence (max in log space)") => "max",
        Some("segment") => "segment",
        _ => return Err(unknown("level", value)),
    })
}

/// Weights, clamped or 0 outside.
fn weighted(params: &Map<String, Value>) -> Result<Value> {
    let mut given = Map::new();
    for (word, value) in params {
        let text = value.as_str().unwrap_or_default();
        match (word.as_str(), text) {
            ("stage", _)
            | ("metric", "ratio")
            | ("weight", "ratio" | "geometric mean ratio")
            | ("where", "added in log space inside phi")
            | ("combine", "geometric mean over tokens") => {}
            ("version", known) if DESCRIPTIVE_VERSIONS.contains(&known) => {}
            ("level", _) => {
                given.insert(word.clone(), json!(level(value)?));
            }
            ("numerator", "current policy, detached") => {
                given.insert(word.clone(), json!("current"));
            }
            ("kind" | "lower" | "upper" | "clamp_log_ratio" | "batch_normalize", _) => {
                given.insert(word.clone(), value.clone());
            }
            _ => return Err(unknown(word, value)),
        }
    }
    Ok(Value::Object(given))
}

/// A mask whose kept tokens have the weight.
fn kept(params: &Map<String, Value>) -> Result<Value> {
    let mut given = Map::new();
    given.insert("kind".into(), json!("mask"));
    let metric = params.get("metric").cloned().unwrap_or_default();
    let of_sequence = params.get("level") != Some(&json!("token"));
    let shared = metric == "ratio" && of_sequence;
    given.insert("weight".into(), json!(if shared { "geometric" } else { "token" }));
    for (word, value) in params {
        let text = value.as_str().unwrap_or_default();
        match (word.as_str(), text) {
            ("stage" | "kind", _) => {}
            ("level", _) => {
                given.insert(word.clone(), json!(level(value)?));
            }
            ("metric", "ratio") => {}
            ("metric", "kl_k1" | "kl_k2" | "kl_k3") => {
                given.insert("statistic".into(), json!(text.trim_start_matches("kl_")));
                given.insert("reversed".into(), json!(true));
            }
            ("weight", "ratio") => {
                given.insert(word.clone(), json!("token"));
            }
            ("weight", "geometric mean ratio") => {
                given.insert(word.clone(), json!("geometric"));
            }
            ("lower" | "upper", _) => {
                given.insert(word.clone(), value.clone());
            }
            _ => return Err(unknown(word, value)),
        }
    }
    Ok(Value::Object(given))
}

/// A mask whose dropped tokens leave the denominators.
fn mask(params: &Map<String, Value>) -> Result<Value> {
    let mut given = Map::new();
    given.insert("uncounted".into(), json!(true));
    for (word, value) in params {
        let text = value.as_str().unwrap_or_default();
        match (word.as_str(), text) {
            ("stage", _) => {}
            ("level", _) => {
                given.insert(word.clone(), json!(level(value)?));
            }
            ("signal", "ratio") => {}
            ("signal", "probability difference") => {
                given.insert("statistic".into(), json!("probability"));
            }
            ("kind" | "lower" | "upper", _) => {
                given.insert(word.clone(), value.clone());
            }
            _ => return Err(unknown(word, value)),
        }
    }
    Ok(Value::Object(given))
}

/// verl's rejection: options and their thresholds, in the same order; all must pass.
fn rejection(params: &Map<String, Value>) -> Result<Value> {
    if let Some((word, value)) = params
        .iter()
        .find(|(word, _)| !["stage", "kind", "option", "threshold", "version"].contains(&word.as_str()))
    {
        return Err(unknown(word, value));
    }
    let text = |word: &str| params.get(word).and_then(Value::as_str).unwrap_or_default();
    let mut masks = Vec::new();
    for (option, threshold) in text("option").split(',').zip(text("threshold").split(',')) {
        let wrong = || unknown("option", &json!(option));
        let (level, statistic) = option.rsplit_once('_').ok_or_else(wrong)?;
        let level = match level {
            "token" => "token",
            "seq_sum" => "sequence",
            "seq_mean" => "geometric",
            "seq_max" => "max",
            _ => return Err(wrong()),
        };
        let number = |text: &str| text.parse::<f64>().map_err(|_| unknown("threshold", &json!(threshold)));
        let (lower, upper) = match (statistic, threshold.split_once('_')) {
            ("k1", Some((lower, upper))) => (json!(number(lower)?.ln()), json!(number(upper)?.ln())),
            ("k1", None) => (json!(-number(threshold)?.ln()), json!(number(threshold)?.ln())),
            (_, None) => (Value::Null, json!(number(threshold)?)),
            _ => return Err(unknown("threshold", &json!(threshold))),
        };
        masks.push(
            json!({"kind": "mask", "level": level, "statistic": statistic, "lower": lower, "upper": upper}),
        );
    }
    Ok(json!(masks))
}

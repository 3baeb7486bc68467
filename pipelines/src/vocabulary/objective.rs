//! From the neutral vocabulary of golden vectors to objectives and their parameters.

use meed_operators::Result;
use serde_json::{Map, Value, json};

use super::correction::correction;
use super::{DESCRIPTIVE_VERSIONS, unknown};

/// Stages that objectives compute.
const STAGES: &[&str] = &["loss", "aggregate", "kl", "correction", "value_loss", "kl_controller", "proximal"];

/// Kinds of other stages that objectives compute.
const KINDS: &[(&str, &str)] = &[
    ("mask", "high entropy tokens"),
    ("mask", "off-policy sequence mask"),
    ("metric", "mean of old - current"),
];

/// Whether a stage of a golden case is one of an objective.
pub fn is_of_objective(stage: &str, params: &Map<String, Value>) -> bool {
    let kind = params.get("kind").and_then(Value::as_str).unwrap_or_default();
    STAGES.contains(&stage) || KINDS.contains(&(stage, kind))
}

/// Words whose value only describes what an objective does anyway, with the known values.
const DESCRIPTIVE: &[(&str, &[&str])] = &[
    ("version", DESCRIPTIVE_VERSIONS),
    ("segment", &["maximal run of trainable tokens"]),
    ("clip_domain", &["log ratio"]),
    ("covariance_of", &["scaled advantages"]),
    ("outside", &["weight 0"]),
    ("scales", &["each component by its own token count"]),
    ("masked_values", &["not removed"]),
    ("dropped_rows", &["keep = false"]),
    ("clip_kind", &["absolute value"]),
];

/// An objective and its settings.
pub type Named = (&'static str, Vec<(String, Value)>);

/// The objective that a stage of a golden case names. What has no objective of its own is one that shows
/// it: an aggregate of given token losses is that of `-log pi`.
///
/// # Errors
/// A word or value that is not known, by name.
pub fn objective(recipe: &str, stage: &str, params: &Map<String, Value>) -> Result<Named> {
    let mut settings = Settings::default();
    if let Some(system) = recipe.strip_prefix("preset_") {
        settings.set("preset", json!(system.trim_end_matches("_loss").trim_end_matches("_async")));
    }
    match stage {
        "kl" => {
            settings.set("aggregate", json!("token_sum"));
            settings.set("kl", divergence(params, &["stage", "version"])?);
            return settings.named("kl");
        }
        "metric" => {
            if let Some((word, value)) =
                params.iter().find(|(word, _)| !["stage", "kind"].contains(&word.as_str()))
            {
                return Err(unknown(word, value));
            }
            return settings.named("negative_log_likelihood");
        }
        "aggregate" => settings.objective = "negative_log_likelihood".into(),
        "value_loss" => {
            settings.objective = "value_loss".into();
            settings.set("value_coef", json!(1.0));
        }
        _ => {}
    }
    if let Some(name) = params.get("objective") {
        settings.objective(name)?;
    }
    for (word, value) in params {
        settings.word(stage, word, value)?;
    }
    let name = settings.objective.clone();
    settings.named(&name)
}

#[derive(Default)]
struct Settings {
    objective: String,
    settings: Vec<(String, Value)>,
}

impl Settings {
    fn set(&mut self, name: &str, value: Value) {
        self.settings.push((name.to_owned(), value));
    }

    fn named(self, name: &str) -> Result<Named> {
        Ok((crate::find_objective(name)?.name, self.settings))
    }

    fn objective(&mut self, name: &Value) -> Result<()> {
        let text = name.as_str().ok_or_else(|| unknown("objective", name))?;
        let (objective, ratio) = match text {
            "ppo_clip on the ratio of each segment" => ("ppo_clip", Some("segment")),
            "ppo_clip_sequence" => ("ppo_clip", Some("sequence_sum")),
            "squared_log_ratio_regularised_reinforce" => ("squared_log_ratio_reinforce", None),
            "kl term only" => ("kl", None),
            "dppo_tv + cross entropy on observation tokens" | "three components on disjoint tokens" => {
                ("token_components", None)
            }
            other => (other, None),
        };
        self.objective = objective.to_owned();
        if let Some(ratio) = ratio {
            self.set("ratio", json!(ratio));
        }
        // Conventions of the files where nothing is said.
        if objective == "cispo" {
            self.set("clip_low", Value::Null);
        }
        Ok(())
    }

    fn word(&mut self, stage: &str, word: &str, value: &Value) -> Result<()> {
        let text = value.as_str().unwrap_or_default();
        if let Some((_, known)) = DESCRIPTIVE.iter().find(|(descriptive, _)| *descriptive == word) {
            return if known.contains(&text) { Ok(()) } else { Err(unknown(word, value)) };
        }
        let objective = self.objective.clone();
        match (word, text) {
            ("stage" | "objective" | "micro_batches" | "micro_batch_rows" | "mass_per_rollout", _) => {}
            ("kind", _) if stage == "aggregate" => {}
            ("kind", "mse") => self.set("value_error", json!("squared")),
            ("kind", "huber") => self.set("value_error", json!("huber")),
            ("clip", _) if stage == "value_loss" => self.set("value_clip", value.clone()),
            ("half", _) if stage == "value_loss" => self.set("value_half", value.clone()),
            ("delta", _) if stage == "value_loss" => self.set("value_huber_delta", value.clone()),
            ("aggregate", _) => self.aggregate(text)?,
            ("rows", "at least one trainable token") => self.set("rows", json!("trainable")),
            ("rows", "all rows" | "all rows, an empty row counts as 0") => self.set("rows", json!("all")),
            ("rows", "loss_multiplier > 0") => {}
            ("global_sequences", _) => self.set("global_rows", value.clone()),
            ("dp_size", _) => self.set("parts", value.clone()),
            ("denominator", _) => {
                self.set("aggregate", json!("sum"));
                self.set(word, value.clone());
            }
            ("both_sides", _) if objective == "cispo" => {}
            ("ratio_cap", _) if objective == "cispo" => self.set("ratio_high", value.clone()),
            ("negative_clip", _) => {
                self.set("negative_lower", value[0].clone());
                self.set("negative_upper", value[1].clone());
            }
            ("sequence_ratio", "exp(mean log ratio)") => {
                if objective != "gspo" {
                    self.set("ratio", json!("sequence"));
                }
            }
            ("sequence_ratio", "exp(sum log ratio)") => self.set("ratio", json!("sequence_sum")),
            ("sequence_ratio", "exp(mean log ratio of current to rollout)") => {
                self.set("anchor", json!("rollout"));
            }
            ("gradient", "through the sequence ratio") => self.set("gradient", json!("through")),
            ("gradient", "per token, straight through") => self.set("gradient", json!("straight_through")),
            ("gradient", "through the ratio" | "of log-probability, weight detached") => {}
            ("ratio", "sequence (geometric mean)") => self.set("ratio", json!("sequence")),
            ("ratio", "current over rollout") => self.set("anchor", json!("rollout")),
            ("ratio", "exp(mean log ratio over the segment)") => {}
            ("advantage", "mean of the row's token advantages") => self.set("advantage", json!("row_mean")),
            ("advantage", "reference minus current log-probability, detached") => {}
            ("drop", "probability current - rollout < -0.2") => self.set("delta_low", json!(0.2)),
            ("tokens", "all response tokens") => self.set("ratio_all_tokens", json!(true)),
            ("token_weights", "token_rl_weights; weight 0 leaves the mask and the denominator") => {
                self.objective = "token_components".into();
            }
            ("token_weights", _) => self.set("token_factor", value.clone()),
            ("tokens_eps", _) if objective == "gspo" => {
                self.set("ratio_tokens_eps", value.clone());
                self.set(word, value.clone());
            }
            ("rl", _) => {
                for (field, value) in value.as_object().into_iter().flatten() {
                    match field.as_str() {
                        "objective" if value == "dppo_tv" => {}
                        "delta_low" | "delta_high" => self.set(field, value.clone()),
                        _ => return Err(unknown(field, value)),
                    }
                }
            }
            ("entropy_bonus", _) => self.set("entropy_coef", value.clone()),
            ("entropy_mask", _) => {
                let name = if objective == "gmpo" { "geometric_entropy_mask" } else { "entropy_mask" };
                let fields = [("quantile", "linear interpolation over all trainable tokens")];
                self.set(name, only(word, value, "keep_top", &fields)?);
            }
            ("off_policy_mask", _) => {
                let fields = [("kl", "mean over trainable tokens of rollout - current")];
                let threshold = only(word, value, "threshold", &fields)?;
                self.set(word, json!({"threshold": threshold, "anchor": "rollout"}));
            }
            ("sequence_filter", _) => {
                let fields = [(
                    "rule",
                    "drop a token when its advantage < 0 and the mean of (old - current) log-probability over the row > delta",
                )];
                let threshold = only(word, value, "delta", &fields)?;
                self.set("off_policy_mask", json!({"threshold": threshold, "anchor": "old"}));
            }
            ("row_weights", "1.5 - (len - min)/(max - min + 1e-8), scaled to sum to the number of rows") => {
                self.set(word, json!("shorter"))
            }
            ("row_weights", "0.5 + 1.5*difficulty, scaled to sum to the number of rows") => {
                self.set(word, json!("harder"));
            }
            ("positive_nll", _) => {
                let fields = [("rows", "reward_shifted > 0"), ("aggregate", "token_mean over those rows")];
                let weight = only(word, value, "weight", &fields)?;
                self.set(word, json!({"weight": weight, "signal": "reward_shifted"}));
            }
            ("kl", _) => {
                let fields = value.as_object().ok_or_else(|| unknown(word, value))?;
                self.set(word, divergence(fields, &[])?);
            }
            ("correction", _) => {
                let fields = value.as_object().ok_or_else(|| unknown(word, value))?;
                if fields.get("kind") == Some(&json!("anchor the ratio on the rollout log-probs")) {
                    self.set("anchor", json!("rollout"));
                } else {
                    let inside = fields.get("where") == Some(&json!("added in log space inside phi"));
                    let name = if inside { "inner_correction" } else { "correction" };
                    self.set(name, correction(fields)?);
                }
            }
            _ => self.set(word, value.clone()),
        }
        Ok(())
    }

    fn aggregate(&mut self, text: &str) -> Result<()> {
        let mode = match text {
            "token_mean (global count of trainable tokens)" | "mean over micro-batches of token_mean" => {
                "token_mean"
            }
            "per token" => "token_sum",
            "seq_mean" => "seq_mean_token_mean",
            "sum/denominator" => "sum",
            "sum/(rows*horizon)" => "seq_mean_token_sum_norm",
            "mean over groups of token_mean" => "group_mean_token_mean",
            "mean over trajectories of token_mean" | "mean over rollouts of the row losses" => {
                "trajectory_mean_token_mean"
            }
            "mean over rows of (row loss x trainable tokens)" => {
                self.set("ratio", json!("sequence"));
                "seq_mean_token_sum"
            }
            other => other,
        };
        self.set("aggregate", json!(mode));
        if text == "seq_mean_token_sum_norm"
            && !self.settings.iter().any(|(name, _)| name == "divide_by_rows")
        {
            self.set("divide_by_rows", json!(false));
        }
        Ok(())
    }
}

/// One field of an object whose other fields only describe it.
fn only(word: &str, value: &Value, field: &str, descriptive: &[(&str, &str)]) -> Result<Value> {
    let fields = value.as_object().ok_or_else(|| unknown(word, value))?;
    for (name, value) in fields {
        let known = descriptive.iter().any(|(known, text)| known == name && value == text);
        if name != field && !known {
            return Err(unknown(&format!("{word}.{name}"), value));
        }
    }
    Ok(value[field].clone())
}

/// The parameter `kl` that words about a divergence mean.
fn divergence(params: &Map<String, Value>, skip: &[&str]) -> Result<Value> {
    let mut kl = Map::new();
    kl.insert("coef".into(), json!(1.0));
    for (word, value) in params.iter().filter(|(word, _)| !skip.contains(&word.as_str())) {
        let on = value.as_bool() == Some(true);
        let text = value.as_str().unwrap_or_default();
        let mut set = |name: &str, value: Value| kl.insert(name.to_owned(), value);
        match (word.as_str(), text) {
            ("coef" | "clamp_log_ratio" | "clamp_value", _) => {
                set(word, value.clone());
            }
            ("estimator", "ratio * k1") => {
                set("estimator", json!("k1"));
                set("importance", json!("ratio"));
            }
            ("estimator", _) => {
                set(word, value.clone());
            }
            ("straight_through_k2", _) if value.is_boolean() => {
                set("straight_through", value.clone());
            }
            ("importance_ratio" | "score_function_gradient", _) if value.as_bool() == Some(false) => {}
            ("importance_ratio", _) if on => {
                set("importance", json!("ratio"));
            }
            ("multiply_by", "importance ratio") => {
                set("importance", json!("ratio"));
            }
            ("score_function_gradient", _) if on => {
                set("importance", json!("score_function"));
            }
            ("importance_weight", "1.0 * exp(logp - stop(logp))")
            | (
                "sampling_term",
                "the weight exp(logp - stop(logp)) (or current over rollout) carries gradient",
            ) => {
                set("importance", json!("score_function"));
            }
            ("weight" | "sampling_term", "exp(current - rollout), with gradient") => {
                set("importance", json!("rollout_ratio"));
            }
            ("per", "row mean") => {}
            _ => return Err(unknown(word, value)),
        }
    }
    Ok(Value::Object(kl))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(params: Value) -> String {
        let params = params.as_object().cloned().unwrap_or_default();
        match objective("preset_verl_loss", "loss", &params) {
            Err(error) => error.to_string(),
            Ok((name, settings)) => match crate::find_objective(name).and_then(|found| found.with(&settings))
            {
                Err(error) => error.to_string(),
                Ok(_) => String::new(),
            },
        }
    }

    #[test]
    fn unknown_words_fail_by_name() {
        assert_eq!(error(json!({"objective": "ppo_clip", "clip_low": 0.2, "kl": {"coef": 0.1}})), "");
        for (params, word) in [
            (json!({"objective": "ppo_klip"}), "ppo_klip"),
            (json!({"objective": "ppo_clip", "clip_lwo": 0.2}), "clip_lwo"),
            (json!({"objective": "ppo_clip", "aggregate": "token_men"}), "token_men"),
            (json!({"objective": "ppo_clip", "kl": {"coef": 0.1, "estimater": "k3"}}), "estimater"),
            (json!({"objective": "ppo_clip", "correction": {"kind": "tis", "levell": "token"}}), "levell"),
            (json!({"objective": "ppo_clip", "correction": {"kind": "iss"}}), "iss"),
            (json!({"objective": "ppo_clip", "entropy_mask": {"keep": 0.2}}), "keep"),
            (json!({"objective": "gspo", "gradient": "through the floor"}), "through the floor"),
        ] {
            let error = error(params);
            assert!(error.contains(word), "{word}: {error}");
        }
    }
}

//! From the neutral vocabulary of golden vectors to recipes and their parameters.

pub mod correction;
pub mod objective;
pub mod recipes;

use meed_operators::{Error, Result};
use serde_json::{Map, Value, json};

/// A recipe with settings, or why the piece is not one of a recipe's.
#[derive(Debug, Clone, PartialEq)]
pub enum Named {
    /// A recipe and its settings, in order.
    Recipe(&'static str, Vec<(String, Value)>),
    /// Not an advantage, return, baseline, normalisation or reward; or not built yet.
    Elsewhere(String),
}

/// What changes weights by gradients and assigns no credit.
const UPDATES: &[&str] = &["galore", "gcond", "rex"];

const ESTIMATORS: &[(&str, &str)] = &[
    ("grpo", "grpo"),
    ("grpo_vectorized", "grpo"),
    ("prpo", "grpo"),
    ("rloo", "rloo"),
    ("rloo_vectorized", "rloo"),
    ("opo", "opo"),
    ("gpg", "gpg"),
    ("max_rl", "max_rl"),
    ("pass_at_k", "grpo_passk"),
    ("gae", "gae"),
    ("gdpo", "gdpo"),
    ("remax", "remax"),
    ("raw_reward", "reinforce"),
    ("reinforce", "reinforce"),
    ("reinforce by segment", "reinforce"),
    ("reinforce_pp", "reinforce_pp"),
    ("reinforce_pp_baseline", "reinforce_pp_baseline"),
    ("optimal_token_baseline", "optimal_token_baseline"),
    ("on_policy_distillation", "on_policy_distillation"),
    ("given reward + on-policy distillation", "on_policy_distillation"),
    ("given reward + KL term in the advantage", "on_policy_distillation"),
    ("gigpo", "gigpo"),
    ("gigpo, state part", "gigpo"),
    ("step_reinforce", "step_reinforce"),
    ("turn-level, group mean", "turn_baseline"),
];

const LATER_ESTIMATORS: &[(&str, &str)] = &[
    ("ema_baseline", "a running baseline that forgets, per agent: statistics over the history have no decay"),
    ("per role", "a map from roles to recipes: recipes are not composed"),
];

const LATER_STAGES: &[&str] =
    &["filter", "rows", "broadcast", "routing", "metric", "step_return", "reduce", "mask", "sample"];

/// Versions of a reference that cases name; what differs is said by other words.
const DESCRIPTIVE_VERSIONS: &[&str] = &["2026-01", "2026-08"];

/// Words that ask for a fault of a reference: the longest row of a batch treated as cut off.
const FAULTS: &[&str] = &["bootstrap", "unfinished_reward"];

/// The preset of a framework; of TRL's two trainers the asynchronous one has population deviations.
fn preset_of(framework: &str, params: &Map<String, Value>) -> Option<&'static str> {
    let population = params.get("ddof").and_then(Value::as_u64) == Some(0);
    let name = match framework {
        "TRL" if population => "trl_async".to_owned(),
        other => other.to_lowercase().replace('-', "_"),
    };
    crate::presets::PRESETS.iter().map(|preset| preset.name).find(|known| *known == name)
}

/// Words that describe a case without changing what is computed here, with their known values.
const DESCRIPTIVE: &[(&str, &[&str])] = &[
    ("unbiased", &["absent turns count as reward 0 in the mean of their index, for every rollout"]),
    ("stage", &[]),
    ("estimator", &[]),
    ("version", DESCRIPTIVE_VERSIONS),
    ("broadcast", &["mask", "all", "segment"]),
    ("scope", &["group", "tokens", "all trainable tokens", "the whole batch"]),
    ("layout", &["rows packed one after another, with prompt tokens between"]),
    ("chunk", &[]),
    ("group_size", &[]),
    ("check", &["a recipe whose advantages are all 0 for structural reasons must be reported"]),
    ("per_reward", &["grpo (std, ddof 1, eps 1e-6)"]),
    ("combine", &["weighted nan-sum, then normalise", "nan-sum"]),
    (
        "missing",
        &[
            "null = None: excluded from the statistics; a row with all null gets 0 and is excluded too",
            "null rewards leave the statistics and get no advantage",
            "null excluded, advantage 0",
            "null excluded",
        ],
    ),
    ("step_groups", &["same state hash; see note", "same prompt and same state"]),
];

/// The recipe of a case of the golden vectors: `recipe` is the method's name, or a file of
/// conventions whose `params` name a stage and an estimator.
///
/// # Errors
/// A word, value or stage that is not known, by name.
pub fn named(recipe: &str, framework: Option<&str>, params: &Map<String, Value>) -> Result<Named> {
    let conventions = recipe.starts_with("preset_") || recipe == "peer_tests" || recipe == "bug_inputs";
    if UPDATES.contains(&recipe) {
        return Ok(Named::Elsewhere(
            "weight updates and schedules: asserted in operators/tests/update".into(),
        ));
    }
    if !conventions {
        let Ok(found) = crate::find(recipe) else {
            return Ok(Named::Elsewhere(format!("recipe {recipe} is not built yet")));
        };
        return recipes::settings(found, params);
    }
    let stage = params.get("stage").and_then(Value::as_str).unwrap_or_default();
    let estimator = params.get("estimator").and_then(Value::as_str).unwrap_or_default();
    let mut settings: Vec<(String, Value)> = Vec::new();
    let system =
        recipe.strip_prefix("preset_").or_else(|| framework.and_then(|name| preset_of(name, params)));
    if let Some(system) = system {
        settings.push(("preset".into(), json!(system)));
    }
    if let Some(fault) = FAULTS.iter().find(|word| params.contains_key(**word)) {
        return Ok(Named::Elsewhere(format!("reference bug, not reproduced: {fault}")));
    }
    let name = match stage {
        "advantage" => {
            if let Some((_, reason)) = LATER_ESTIMATORS.iter().find(|(known, _)| *known == estimator) {
                return Ok(Named::Elsewhere((*reason).to_owned()));
            }
            let known = ESTIMATORS.iter().find(|(known, _)| *known == estimator);
            known.map(|(_, recipe)| *recipe).ok_or_else(|| unknown("estimator", &json!(estimator)))?
        }
        "return" => "reinforce",
        "baseline" | "normalise" => "grpo",
        "reward" => match params.get("kind").and_then(Value::as_str) {
            None => "grpo",
            Some("overlong penalty") => "overlong_penalty",
            Some("linear map with clipping" | "linear scale with clipping") => "linear_reward",
            Some("truncated rows scaled") => "truncated_reward",
            Some("kl_in_reward") => "kl_in_reward",
            Some(other) => return Err(unknown("kind", &json!(other))),
        },
        later if LATER_STAGES.contains(&later) => {
            return Ok(Named::Elsewhere(format!("stage {later}: no recipe or objective computes it")));
        }
        other => return Err(unknown("stage", &json!(other))),
    };
    settings.extend(defaults(stage, estimator));
    for (word, value) in params {
        translate(name, stage, word, value, &mut settings)?;
    }
    let declared = crate::find(name)?.declared();
    if !declared.iter().any(|parameter| parameter.name == "preset") {
        settings.retain(|(word, _)| word != "preset");
    }
    Ok(Named::Recipe(name, settings))
}

/// What a stage or estimator says without naming it.
fn defaults(stage: &str, estimator: &str) -> Vec<(String, Value)> {
    let pairs: Vec<(&str, Value)> = match (stage, estimator) {
        ("baseline", _) => vec![("scale", json!("none")), ("excluded", json!("valid"))],
        ("normalise", _) => {
            vec![("center", json!("batch_mean")), ("scale", json!("batch_std")), ("eps", json!(0.0))]
        }
        (_, "prpo") => vec![("center", json!("batch_mean")), ("scale", json!("batch_std"))],
        (_, "max_rl") => vec![("zero_mean", Value::Null)],
        (_, "gigpo, state part") => vec![("gamma", json!(0.0)), ("episode_weight", json!(0.0))],
        (_, "given reward + on-policy distillation") => vec![("add_reward", json!(true))],
        (_, "given reward + KL term in the advantage") => {
            vec![
                ("add_reward", json!(true)),
                ("teacher", json!("token_ref_logprobs")),
                ("centred", json!(true)),
            ]
        }
        _ => Vec::new(),
    };
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn translate(
    recipe: &str,
    stage: &str,
    word: &str,
    value: &Value,
    settings: &mut Vec<(String, Value)>,
) -> Result<()> {
    let text = value.as_str().unwrap_or_default();
    let by_rows = match (recipe, word, text) {
        ("gdpo", "then", "sum, then batch normalisation") => Some(0.0),
        (
            "gdpo",
            "combine",
            "normalise each column in the group, weighted nan-sum, then z-score over the batch (ddof 1, eps 1e-4)",
        ) => Some(1e-4),
        _ => None,
    };
    if let Some(eps) = by_rows {
        settings.push(("whiten".into(), json!("batch_rows")));
        settings.push(("whiten_eps".into(), json!(eps)));
        return Ok(());
    }
    if let Some((_, known)) = DESCRIPTIVE.iter().find(|(descriptive, _)| *descriptive == word) {
        if !known.is_empty() && !known.contains(&text) {
            return Err(unknown(word, value));
        }
        return Ok(());
    }
    let mut set = |name: &str, value: Value| settings.push((name.to_owned(), value));
    match (recipe, word) {
        ("overlong_penalty" | "linear_reward" | "truncated_reward" | "kl_in_reward", "kind") => {}
        ("gdpo", "scale") if text == "group_std per reward" => set("scale", json!("group_std")),
        ("reinforce_pp_baseline", "scale") => {
            set(word, value.clone());
            if text.starts_with("batch_std_of") {
                set("whiten", json!("none"));
            }
        }
        ("gigpo", "center") if text == "group_mean" => {}
        ("gigpo", "scale") => set("mode", json!(if text == "none" { "mean_norm" } else { "mean_std_norm" })),
        ("gigpo", "ddof") if value.as_u64() == Some(1) => {}
        ("grpo", "clamp_var") if stage == "normalise" => set("variance_floor", value.clone()),
        ("on_policy_distillation", "distill" | "kl") => {
            for (field, value) in value.as_object().into_iter().flatten() {
                match field.as_str() {
                    "coef" | "discount" => set(field, value.clone()),
                    "signal" | "estimator" | "centred" => {}
                    _ => return Err(unknown(word, value)),
                }
            }
        }
        ("reinforce" | "reinforce_pp", "ddof" | "scale" | "eps") => {}
        ("reinforce" | "reinforce_pp", "center") if text == "none" => {}
        ("reinforce_pp", "singleton") if text == "raw" => {}
        ("reinforce" | "reinforce_pp" | "gae", "excluded") => set("excluded", value.clone()),
        _ => set(word, value.clone()),
    }
    Ok(())
}

fn unknown(word: &str, value: &Value) -> Error {
    Error::usage(
        format!("golden vectors: `{word}` has no known value {value}"),
        "add it to the vocabulary, beside what it means",
    )
}

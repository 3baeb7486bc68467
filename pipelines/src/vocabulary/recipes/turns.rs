//! The words of golden vectors for recipes of the family `turns`.

use meed_operators::Result;
use serde_json::{Map, Value, json};

use super::without;
use crate::vocabulary::{Named, unknown};

/// What a case of one of these recipes means; `None` where its words are the recipe's parameters.
pub(super) fn named(recipe: &str, params: &Map<String, Value>) -> Option<Result<Named>> {
    let settings = match recipe {
        "matchtir" => matchtir(params),
        // The authors' function takes a gain of 0 for no turn.
        "a2tgpo" => Ok(with(without(params, &["aggregate"]), &[("zero_gains", json!("merged"))])),
        // The authors' statistics are of the first step of each rollout.
        "istar" => Ok(with(without(params, &[]), &[("step_statistics", json!("first"))])),
        "siop" => Ok(with(without(params, &[]), &[("singleton", json!("raw"))])),
        "spa_rl" => spa_rl(params),
        "archer" => Ok(without(params, &["tau", "token_baseline"])),
        "poad" => Ok(without(params, &["clip", "entropy_coef", "huber_delta", "value_loss"])),
        "r3l" => Ok(with(without(params, &["kl_coef", "aggregate"]), &[("selection", json!("decided"))])),
        "target_decoupling" => Ok(target_decoupling(params)),
        _ => return None,
    };
    let recipe = crate::find(recipe).map(|recipe| recipe.name);
    Some(recipe.and_then(|recipe| Ok(Named::Recipe(recipe, settings?))))
}

fn with(mut settings: Vec<(String, Value)>, more: &[(&str, Value)]) -> Vec<(String, Value)> {
    settings.extend(more.iter().map(|(word, value)| ((*word).to_owned(), value.clone())));
    settings
}

/// Groups and turns of one keep their raw values, in the authors' program.
fn matchtir(params: &Map<String, Value>) -> Result<Vec<(String, Value)>> {
    let scale = match params.get("scale").and_then(Value::as_str) {
        None | Some("std") => "group_std",
        Some("none") => "none",
        Some(other) => return Err(unknown("scale", &json!(other))),
    };
    let settings = without(params, &["scale"]);
    Ok(with(settings, &[("scale", json!(scale)), ("singleton", json!("raw"))]))
}

/// The cases have rewards only, and so no critic.
fn spa_rl(params: &Map<String, Value>) -> Result<Vec<(String, Value)>> {
    let penalty = json!({"coef": params.get("kl_coef"), "estimator": params.get("kl")});
    let settings = without(params, &["kl_coef", "kl"]);
    Ok(with(settings, &[("kl", penalty), ("values", json!("none"))]))
}

/// The variants with a weight of other heads differ in their loss alone.
fn target_decoupling(params: &Map<String, Value>) -> Vec<(String, Value)> {
    let of_the_loss = ["clip", "value_coef", "entropy_coef", "clip_value_loss", "aux_weight"];
    let mut settings = without(params, &of_the_loss);
    for (_, variant) in settings.iter_mut().filter(|(word, _)| word == "variant") {
        if variant == "aux_weight" {
            *variant = json!("decoupled");
        }
    }
    settings
}

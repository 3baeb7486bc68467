//! The words of golden vectors for recipes of the family `process`.

use meed_operators::Result;
use serde_json::{Map, Value, json};

use super::without;
use crate::vocabulary::{Named, unknown};

/// What a case of one of these recipes means; `None` where its words are the recipe's parameters.
pub(super) fn named(recipe: &str, params: &Map<String, Value>) -> Option<Result<Named>> {
    let settings = match recipe {
        "prime" => prime(params),
        "implicit_prm" => Ok(without(params, &["piece"])),
        "prorag" => Ok(without(params, &["clip_low", "clip_high", "sequence_cap", "aggregation"])),
        _ => return None,
    };
    let recipe = crate::find(recipe).map(|recipe| recipe.name);
    Some(recipe.and_then(|recipe| Ok(Named::Recipe(recipe, settings?))))
}

/// The band is a case of its own; all others are without it.
fn prime(params: &Map<String, Value>) -> Result<Vec<(String, Value)>> {
    let band = match params.get("filter") {
        None => Value::Null,
        Some(filter) if filter == "accuracy band" => json!([params.get("low"), params.get("high")]),
        Some(filter) => return Err(unknown("filter", filter)),
    };
    let mut settings = without(params, &["beta", "filter", "low", "high"]);
    settings.push(("filter".into(), band));
    Ok(settings)
}

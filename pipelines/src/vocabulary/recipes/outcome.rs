//! The words of golden vectors for recipes of the family `outcome`.

use meed_operators::Result;
use serde_json::{Map, Value, json};

use super::without;
use crate::vocabulary::{Named, unknown};

/// What a case of one of these recipes means; `None` where its words are the recipe's parameters.
pub(super) fn named(recipe: &str, params: &Map<String, Value>) -> Option<Result<Named>> {
    match recipe {
        "adora" => Some(Ok(adora(params))),
        // Sizes that the data has.
        "brpo" => {
            let settings = without(params, &["cots_per_group", "budgets", "answers_per_budget"]);
            Some(Ok(Named::Recipe("brpo", settings)))
        }
        "guide" => Some(Ok(guide(params))),
        "rlvr_schedule" => Some(rlvr_schedule(params)),
        // What follows from the scheme and the epoch.
        "tarot" => Some(Ok(Named::Recipe("tarot", without(params, &["weights", "active_tiers"])))),
        _ => None,
    }
}

fn adora(params: &Map<String, Value>) -> Named {
    let mut settings = without(params, &[]);
    if params.get("baseline") == Some(&json!("z-score eps 1e-9")) {
        settings.push(("baseline".into(), json!("z-score")));
        settings.push(("eps".into(), json!(1e-9)));
    }
    Named::Recipe("adora", settings)
}

/// The magnitude of a case is that of its iteration, unless it names a schedule.
fn rlvr_schedule(params: &Map<String, Value>) -> Result<Named> {
    let mut settings = without(params, &["scale"]);
    match params.get("scale").map(|scale| scale.as_str().unwrap_or_default()) {
        None => {}
        Some("std") => settings.push(("scale".into(), json!("group_std"))),
        Some(_) => return Err(unknown("scale", &params["scale"])),
    }
    if !params.contains_key("mode") {
        settings.push(("mode".into(), json!("constant")));
    }
    Ok(Named::Recipe("rlvr_schedule", settings))
}

/// The other words are those of the loss.
fn guide(params: &Map<String, Value>) -> Named {
    let of_the_loss = ["strategy", "value", "clip", "aggregation", "padded_width", "clip_removed"];
    let mut settings = without(params, &of_the_loss);
    for (_, scale) in settings.iter_mut().filter(|(word, _)| word == "scale") {
        if scale == "std" {
            *scale = json!("group_std");
        }
    }
    settings.push(("singleton".into(), json!("raw")));
    Named::Recipe("guide", settings)
}

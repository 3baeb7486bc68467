//! The words of golden vectors for recipes of the family `tokens`.

use meed_operators::Result;
use serde_json::{Map, Value, json};

use super::without;
use crate::vocabulary::Named;

/// What a case of one of these recipes means; `None` where its words are the recipe's parameters.
pub(super) fn named(recipe: &str, params: &Map<String, Value>) -> Option<Result<Named>> {
    let (name, settings) = match recipe {
        "delta_token" => {
            let mut settings = without(params, &["eps"]);
            settings.extend(params.get("eps").map(|eps| ("floor".to_owned(), eps.clone())));
            settings.push(("advantage".into(), json!("advantage")));
            ("delta_token", settings)
        }
        "oreal" => {
            let mut settings = without(params, &["piece"]);
            settings.push(("selection".into(), json!("all")));
            ("oreal", settings)
        }
        // The number of positions of the answer and of completions are those of the data.
        "spae" => ("spae", without(params, &["gold_answer_tokens", "probes_per_step"])),
        "ucas" if params.contains_key("piece") => ("ucas", vec![("token_penalty".to_owned(), json!(0))]),
        "ucas" => {
            let mut settings = without(params, &["scale"]);
            let scaled = params.get("scale") == Some(&json!("std"));
            settings.push(("scale".into(), json!(if scaled { "group_std" } else { "none" })));
            ("ucas", settings)
        }
        _ => return None,
    };
    Some(Ok(Named::Recipe(name, settings)))
}

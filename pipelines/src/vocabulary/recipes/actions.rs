//! The words of golden vectors for recipes of the family `actions`.

use meed_operators::Result;
use serde_json::{Map, Value};

use super::without;
use crate::vocabulary::Named;

/// What a case of one of these recipes means; `None` where its words are the recipe's parameters.
pub(super) fn named(recipe: &str, params: &Map<String, Value>) -> Option<Result<Named>> {
    let (recipe, left_out): (_, &[&str]) = match recipe {
        "ma_rlhf" => ("ma_rlhf", &["clip", "value_clip"]),
        // `variant` names the trainer: what differs between them is said by the other words.
        "text2grad" => ("text2grad", &["variant", "clip", "value_clip", "value_coef", "ratio_threshold"]),
        _ => return None,
    };
    Some(Ok(Named::Recipe(recipe, without(params, left_out))))
}

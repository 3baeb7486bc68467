//! The words of golden vectors for recipes of the family `trees`.

use meed_operators::Result;
use serde_json::{Map, Value};

use super::without;
use crate::vocabulary::Named;

/// What a case of one of these recipes means; `None` where its words are the recipe's parameters.
pub(super) fn named(recipe: &str, params: &Map<String, Value>) -> Option<Result<Named>> {
    let (recipe, left_out): (_, &[&str]) = match recipe {
        "a3" => ("a3", &["clip"]),
        // How branches were chosen is the sampler's.
        "appo" => ("appo", &["branch_budget", "gamma", "value_clip"]),
        "slate" => ("slate", &["clip", "kl_coef"]),
        _ => return None,
    };
    Some(Ok(Named::Recipe(recipe, without(params, left_out))))
}

//! The words of golden vectors for recipes of the family `turns`.

use meed_operators::Result;
use serde_json::{Map, Value, json};

use super::without;
use crate::vocabulary::Named;

/// What a case of one of these recipes means; `None` where its words are the recipe's parameters.
pub(super) fn named(recipe: &str, params: &Map<String, Value>) -> Option<Result<Named>> {
    Some(Ok(match recipe {
        "archer" => Named::Recipe("archer", without(params, &["tau", "token_baseline"])),
        "poad" => {
            let of_the_loss = ["clip", "entropy_coef", "huber_delta", "value_loss"];
            Named::Recipe("poad", without(params, &of_the_loss))
        }
        "r3l" => {
            let mut settings = without(params, &["kl_coef", "aggregate"]);
            settings.push(("selection".into(), json!("decided")));
            Named::Recipe("r3l", settings)
        }
        "target_decoupling" => target_decoupling(params),
        _ => return None,
    }))
}

/// The variants with a weight of other heads differ in their loss alone.
fn target_decoupling(params: &Map<String, Value>) -> Named {
    let of_the_loss = ["clip", "value_coef", "entropy_coef", "clip_value_loss", "aux_weight"];
    let mut settings = without(params, &of_the_loss);
    for (_, variant) in settings.iter_mut().filter(|(word, _)| word == "variant") {
        if variant == "aux_weight" {
            *variant = json!("decoupled");
        }
    }
    Named::Recipe("target_decoupling", settings)
}

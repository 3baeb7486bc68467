//! The words of golden vectors for recipes of the family `denoising`.

use meed_operators::Result;
use serde_json::{Map, Value};

use super::without;
use crate::vocabulary::Named;

/// Words of samplers and of objectives, which have the same names there.
const ELSEWHERE: &[&str] = &[
    "adv_clip_max",
    "beta",
    "branch_schedule",
    "clip",
    "eta",
    "gradient_accumulation",
    "kl_denominator",
    "noise_level",
    "split_noise_scale",
    "weight",
];

/// What a case of one of these recipes means; `None` where its words are the recipe's parameters.
pub(super) fn named(recipe: &str, params: &Map<String, Value>) -> Option<Result<Named>> {
    let (name, settings) = match recipe {
        "branch_grpo" => ("branch_grpo", without(params, ELSEWHERE)),
        "dance_grpo" => ("dance_grpo", without(params, ELSEWHERE)),
        "flow_grpo" => ("flow_grpo", without(params, ELSEWHERE)),
        "tempflow_grpo" => ("tempflow_grpo", without(params, ELSEWHERE)),
        "turning_point_grpo" => {
            // How many batches are balanced apart is told by a column.
            let mut settings = without(params, &["devices"]);
            if params.get("devices").and_then(Value::as_u64).is_some_and(|devices| devices > 1) {
                settings.push(("balanced_by".to_owned(), "device".into()));
            }
            ("turning_point_grpo", settings)
        }
        _ => return None,
    };
    Some(Ok(Named::Recipe(name, settings)))
}

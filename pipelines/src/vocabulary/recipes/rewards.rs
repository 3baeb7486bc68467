//! The words of golden vectors for recipes of the family `rewards`.

use meed_operators::Result;
use serde_json::{Map, Value, json};

use super::without;
use crate::vocabulary::{Named, unknown};

/// What a case of one of these recipes means; `None` where its words are the recipe's parameters.
pub(super) fn named(recipe: &str, params: &Map<String, Value>) -> Option<Result<Named>> {
    match recipe {
        "carr" => Some(carr(params)),
        "par" => Some(par(params)),
        _ => None,
    }
}

/// Shapes of PAR, which the authors switch on one by one.
const SHAPES: &[&str] = &[
    "sigmoid",
    "shifted_sigmoid",
    "tanh",
    "polynomial",
    "centered",
    "log_sigmoid_centered",
    "running_zscore",
    "running_clip",
    "running_minmax",
];

fn par(params: &Map<String, Value>) -> Result<Named> {
    let on = |word: &str| params.get(word) == Some(&json!(true));
    let chosen: Vec<&str> = SHAPES.iter().copied().filter(|shape| on(shape)).collect();
    let [shape] = chosen[..] else {
        return Err(unknown("shape", &json!(chosen)));
    };
    let mut settings = without(params, SHAPES);
    settings.retain(|(word, _)| word != "relative");
    let absent_is_false = ["relative", "penalise_length"].map(|word| (word.to_owned(), json!(on(word))));
    settings.extend(absent_is_false);
    settings.push(("shape".into(), json!(shape)));
    Ok(Named::Recipe("par", settings))
}

fn carr(params: &Map<String, Value>) -> Result<Named> {
    let mut settings = without(params, &["piece", "scale"]);
    match params.get("scale").and_then(Value::as_str) {
        None => {}
        Some("std") => settings.push(("scale".into(), json!("group_std"))),
        Some("none") => settings.push(("scale".into(), json!("none"))),
        Some(other) => return Err(unknown("scale", &json!(other))),
    }
    Ok(Named::Recipe("carr", settings))
}

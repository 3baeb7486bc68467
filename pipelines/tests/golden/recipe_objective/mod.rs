//! Golden cases of objectives that are one method's own. The credit that a case expects is fed to the
//! objective; loss, parts and gradients must come out. What of the credit is not built yet is listed.

mod batch;
mod check;
mod critics;
mod methods;

use serde_json::Value;

use crate::case::{Case, Outcome};

/// Why a key is not asserted yet.
pub const LATER: &str = "the credit recipe comes later";

/// Runs a case of one of these methods; `None` for any other.
pub fn run(case: &Case) -> Option<Result<Outcome, String>> {
    let method = match case.recipe.as_str() {
        "a2tgpo" => methods::a2tgpo,
        "a3" => methods::a3,
        "appo" => methods::appo,
        "archer" => methods::archer,
        "carr" => methods::carr,
        "guide" => methods::guide,
        "ma_rlhf" => critics::ma_rlhf,
        "light_if" => methods::light_if,
        "oreal" => methods::oreal,
        "poad" => critics::poad,
        "prorag" => methods::prorag,
        "r3l" => methods::r3l,
        "slate" => methods::slate,
        "target_decoupling" => critics::target_decoupling,
        "text2grad" => critics::text2grad,
        _ => return None,
    };
    Some(match undefined(case) {
        Some(reason) => Ok(Outcome::Listed(reason)),
        None => method(case),
    })
}

/// Nothing can be fed or compared where the reference has NaN in the loss or its gradients.
fn undefined(case: &Case) -> Option<String> {
    let nothing = |value: &Value| match value {
        Value::Object(rows) => rows.values().all(|row| match row {
            Value::Array(values) => values.iter().all(Value::is_null),
            value => value.is_null(),
        }),
        value => value.is_null(),
    };
    let gradient = case.expected.get("grad_token_logprobs")?;
    (case.reference_bug && nothing(gradient)).then(|| format!("reference bug, not reproduced: {}", case.bug))
}

/// A case, or a piece of one, that only the credit of the method answers.
fn later(case: &Case) -> Result<Outcome, String> {
    Ok(Outcome::Partly(0, case.expected.keys().map(|key| (key.clone(), LATER)).collect()))
}

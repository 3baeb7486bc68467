//! Optimisers and schedules against the numbers of their references, from `tests/golden`.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr, clippy::print_stdout, clippy::unwrap_used)]

mod galore;
mod gcond;
mod rex;

use serde_json::Value;

/// The cases of a golden file.
fn cases(name: &str) -> Vec<Value> {
    let path = format!("{}/../tests/golden/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert!(!cases.is_empty());
    cases
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// All numbers of nested lists, in order.
fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().flat_map(numbers).collect(),
        other => vec![number(other)],
    }
}

fn close(got: &[f64], wanted: &[f64], tolerance: f64, place: &str) {
    assert_eq!(got.len(), wanted.len(), "{place}");
    for (i, (got, wanted)) in got.iter().zip(wanted).enumerate() {
        let off = (got - wanted).abs();
        assert!(off <= tolerance * wanted.abs().max(1.0), "{place} at {i}: got {got}, expected {wanted}");
    }
}

/// Every parameter of a case must be one that the test passes on.
fn only(params: &Value, known: &[&str]) {
    for key in params.as_object().unwrap().keys() {
        assert!(known.contains(&key.as_str()), "the parameter `{key}` is not known");
    }
}

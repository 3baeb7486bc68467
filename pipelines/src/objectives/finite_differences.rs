//! Gradients against central differences, for the tests of objectives.

use meed_operators::objectives::{Columns, Loss};

/// Step of the differences.
const STEP: f64 = 1e-6;

fn slope(nudged: impl Fn(f64) -> f64) -> f64 {
    (nudged(STEP) - nudged(-STEP)) / (2.0 * STEP)
}

fn agree(what: &str, got: f64, wanted: f64) {
    assert!(
        (got - wanted).abs() < 1e-7 * wanted.abs().max(1.0),
        "{what}: got {got}, differences give {wanted}"
    );
}

/// The gradient with respect to the log-probabilities of these positions.
pub fn logprobs_at(name: &str, columns: &Columns, positions: &[usize], loss: impl Fn(&Columns) -> Loss) {
    let gradient = loss(columns).logprobs;
    assert_eq!(gradient.len(), columns.tokens(), "{name}");
    for &t in positions {
        let nudged = |by: f64| {
            let mut columns = columns.clone();
            columns.logprobs[t] += by;
            loss(&columns).value
        };
        agree(&format!("{name}, position {t}"), gradient[t], slope(nudged));
    }
}

/// The gradient with respect to every log-probability; somewhere it is not 0.
pub fn logprobs(name: &str, columns: &Columns, loss: impl Fn(&Columns) -> Loss) {
    assert!(loss(columns).logprobs.iter().any(|&slope| slope != 0.0), "{name}: no gradient at all");
    logprobs_at(name, columns, &(0..columns.tokens()).collect::<Vec<_>>(), loss);
}

/// The gradient with respect to every value.
pub fn values(name: &str, columns: &Columns, loss: impl Fn(&Columns) -> Loss) {
    let gradient = loss(columns).values.expect("a gradient of values");
    assert!(gradient.iter().any(|&slope| slope != 0.0), "{name}: no gradient at all");
    for (t, got) in gradient.into_iter().enumerate() {
        let nudged = |by: f64| {
            let mut columns = columns.clone();
            columns.values.as_mut().expect("values")[t] += by;
            loss(&columns).value
        };
        agree(&format!("{name}, value {t}"), got, slope(nudged));
    }
}

/// The gradient with respect to a signal.
pub fn signal(name: &str, signal: &str, columns: &Columns, loss: impl Fn(&Columns) -> Loss) {
    let gradient = loss(columns).signals.remove(signal).expect("a gradient of the signal");
    assert!(gradient.iter().any(|&slope| slope != 0.0), "{name}: no gradient at all");
    for (i, got) in gradient.into_iter().enumerate() {
        let nudged = |by: f64| {
            let mut columns = columns.clone();
            columns.signals.get_mut(signal).expect("the signal")[i] += by;
            loss(&columns).value
        };
        agree(&format!("{name}, {signal} {i}"), got, slope(nudged));
    }
}

/// The loss of a named objective with settings such as `[("beta", "0.5")]`.
pub fn loss_of(name: &str, settings: &[(&str, &str)]) -> impl Fn(&Columns) -> Loss + use<> {
    let settings: Vec<(String, serde_json::Value)> =
        settings.iter().map(|(name, value)| ((*name).to_owned(), crate::parameters::parse(value))).collect();
    let objective = super::find_objective(name).and_then(|found| found.with(&settings));
    let objective = objective.unwrap_or_else(|error| panic!("{name}: {error}; {}", error.hint()));
    move |columns| objective.loss(columns).unwrap_or_else(|error| panic!("{error}; {}", error.hint()))
}

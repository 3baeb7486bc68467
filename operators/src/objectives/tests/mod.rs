//! Every objective against a naive scalar implementation of its value, and its written-out gradient against
//! finite differences of that implementation, with what the objective holds fixed held fixed.

mod batch;
mod case;
mod clipped;
mod naive;
mod policy;
mod real;
mod selected;
mod terms;
mod weighted;

use super::{Columns, Objective};

/// A naive value of an objective: of `live` log-probabilities, with what is held fixed computed from
/// `frozen` ones.
pub(super) type Naive = Box<dyn Fn(&Columns, &[f64], &[f64]) -> f64>;

const STEP: f64 = 1e-6;

/// Compares value and gradient of an objective with its naive implementation, and returns at how many tokens
/// the gradient was compared: not where a kink lies inside the step.
pub(super) fn check(name: &str, objective: &dyn Objective, naive: &Naive, columns: &Columns) -> usize {
    let loss = objective.loss(columns).unwrap_or_else(|error| panic!("{name}: {error}"));
    let frozen = columns.logprobs.clone();
    let value = naive(columns, &frozen, &frozen);
    assert!(
        (loss.value - value).abs() <= 1e-9 * value.abs().max(1.0),
        "{name}: value {} against {value}",
        loss.value
    );
    let mut compared = 0;
    for t in 0..columns.tokens() {
        let at = |h: f64| {
            let mut live = frozen.clone();
            live[t] += h;
            naive(columns, &live, &frozen)
        };
        let (up, down) = ((at(STEP) - value) / STEP, (value - at(-STEP)) / STEP);
        if (up - down).abs() > 1e-3 * up.abs().max(1.0) {
            continue;
        }
        let slope = (at(STEP) - at(-STEP)) / (2.0 * STEP);
        assert!(
            (loss.logprobs[t] - slope).abs() <= 1e-5 * slope.abs().max(1.0),
            "{name}: gradient at {t} is {}, finite differences say {slope}",
            loss.logprobs[t]
        );
        compared += usize::from(columns.mask[t]);
    }
    compared
}

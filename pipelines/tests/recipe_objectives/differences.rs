//! Written-out gradients against central differences, on batches with turns of an environment.

use meed_operators::objectives::{Columns, Loss, Objective};
use serde_json::Value;

use meed_pipelines::find_objective;

/// Numbers in `-1..1` that repeat for a salt.
pub fn noise(salt: u32, count: usize) -> Vec<f64> {
    let number = |i: usize| {
        let x = (f64::from(salt) * 78.233 + i as f64 * 12.9898).sin() * 43_758.545_3;
        2.0 * (x - x.floor()) - 1.0
    };
    (0..count).map(number).collect()
}

fn scaled(salt: u32, count: usize, centre: f64, width: f64) -> Vec<f64> {
    noise(salt, count).into_iter().map(|x| centre + width * x).collect()
}

/// Three rollouts in two groups: steps of the policy and of the environment, one rollout without the latter.
pub fn batch() -> Columns {
    let mask: Vec<bool> = "1110011010111111".bytes().map(|byte| byte == b'1').collect();
    let count = mask.len();
    Columns {
        offsets: vec![0, 7, 11, count],
        groups: vec![0, 0, 1],
        steps: Some(vec![0, 3, 5, 7, 8, 9, 11, 14, count]),
        logprobs: scaled(1, count, -1.2, 0.8),
        old_logprobs: Some(scaled(2, count, -1.2, 0.8)),
        rollout_logprobs: Some(scaled(3, count, -1.2, 0.8)),
        ref_logprobs: Some(scaled(4, count, -1.2, 0.8)),
        advantages: scaled(5, count, 0.1, 1.0),
        entropies: Some(scaled(6, count, 1.0, 0.5)),
        values: Some(scaled(7, count, 0.2, 0.6)),
        old_values: Some(scaled(8, count, 0.2, 0.6)),
        returns: Some(scaled(9, count, 0.3, 0.6)),
        rewards: Some(vec![1.0, -0.5, 0.8]),
        mask,
        ..Columns::default()
    }
}

/// The batch with a signal of so many random values.
pub fn with(mut columns: Columns, signal: &str, salt: u32, count: usize) -> Columns {
    columns.signals.insert(signal.to_owned(), noise(salt, count));
    columns
}

/// An objective by name, with settings.
pub fn objective(name: &str, settings: &[(&str, Value)]) -> Box<dyn Objective> {
    let settings: Vec<(String, Value)> =
        settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    find_objective(name).expect("a known objective").with(&settings).expect("known settings")
}

/// The loss of a batch.
pub fn loss(objective: &dyn Objective, columns: &Columns) -> Loss {
    objective.loss(columns).expect("a complete batch")
}

/// What is moved.
#[derive(Debug, Clone, Copy)]
pub enum By<'a> {
    Logprobs,
    Entropies,
    Values,
    Signal(&'a str),
}

impl By<'_> {
    fn of<'c>(&self, columns: &'c mut Columns) -> &'c mut Vec<f64> {
        match self {
            By::Logprobs => &mut columns.logprobs,
            By::Entropies => columns.entropies.as_mut().expect("entropies"),
            By::Values => columns.values.as_mut().expect("values"),
            By::Signal(name) => columns.signals.get_mut(*name).expect("the signal"),
        }
    }

    fn gradient<'l>(&self, loss: &'l Loss) -> &'l [f64] {
        match self {
            By::Logprobs => &loss.logprobs,
            By::Entropies => loss.entropies.as_ref().expect("an entropy gradient"),
            By::Values => loss.values.as_ref().expect("a value gradient"),
            By::Signal(name) => &loss.signals[*name],
        }
    }
}

/// Half the distance between the two points of a central difference.
const STEP: f64 = 1e-6;

/// Asserts that moving several elements together changes `of` as the gradient says, and that some element
/// has a gradient at all.
pub fn agrees_along(
    objective: &dyn Objective,
    columns: &Columns,
    by: By,
    of: impl Fn(&Loss) -> f64,
    directions: &[Vec<(usize, f64)>],
) {
    let analytic = loss(objective, columns);
    let gradient = by.gradient(&analytic);
    assert!(gradient.iter().any(|slope| *slope != 0.0), "{}: no gradient by {by:?}", objective.name());
    for direction in directions {
        let at = |distance: f64| {
            let mut moved = columns.clone();
            for (element, weight) in direction {
                by.of(&mut moved)[*element] += distance * weight;
            }
            of(&loss(objective, &moved))
        };
        let difference = (at(STEP) - at(-STEP)) / (2.0 * STEP);
        let slope: f64 = direction.iter().map(|(element, weight)| gradient[*element] * weight).sum();
        assert!(
            (difference - slope).abs() < 1e-7 * slope.abs().max(1.0),
            "{}: by {by:?} along {direction:?}: difference {difference}, gradient {slope}",
            objective.name()
        );
    }
}

/// The same for each element on its own.
pub fn agrees(objective: &dyn Objective, columns: &Columns, by: By, of: impl Fn(&Loss) -> f64) {
    let count = by.of(&mut columns.clone()).len();
    let each: Vec<Vec<(usize, f64)>> = (0..count).map(|element| vec![(element, 1.0)]).collect();
    agrees_along(objective, columns, by, of, &each);
}

/// The loss itself.
pub fn value(loss: &Loss) -> f64 {
    loss.value
}

/// A part of the loss.
pub fn part(name: &str) -> impl Fn(&Loss) -> f64 + '_ {
    move |loss| loss.parts[name]
}

//! PIT's gap reward model: how much better a response is than a reference, trained by five inequalities.

use meed_operators::Result;
use meed_operators::objectives::preference::{log_sigmoid, logistic};
use meed_operators::objectives::{Columns, Loss};
use meed_operators::{Error, objectives::exact};

use crate::objectives::NamedObjective;
use crate::objectives::parts::function::function;

/// The gaps of a pair: of the better response over the worse one, of each over itself, of the worse over the better.
const GAPS: [&str; 4] =
    ["gap_better_over_worse", "gap_better_over_itself", "gap_worse_over_itself", "gap_worse_over_better"];

/// Which gap is to be greater than which.
const ORDERS: [(usize, usize); 5] = [(0, 3), (0, 1), (0, 2), (1, 3), (2, 3)];

/// `L = -sum log sigmoid(r(a|b) - r(c|d))` over the five orders `r(w|l) > r(l|w)`, `r(w|l) > r(w|w)`,
/// `r(w|l) > r(l|l)`, `r(w|w) > r(l|w)`, `r(l|l) > r(l|w)`, averaged over pairs.
///
/// The four gaps of every pair are signals with one value per pair, in the order of [`GAPS`]; the gradient is with
/// respect to them.
pub const PIT: NamedObjective = NamedObjective {
    name: "pit",
    title: "five inequalities between the gaps of a better and a worse response",
    citation: "Wang et al. 2023, Enable Language Models to Implicitly Learn Self-Improvement From Data, arXiv 2310.00898",
    formula: "-sum log sigmoid(r(a|b) - r(c|d)) over r(w|l) > r(w|w), r(l|l) > r(l|w) and r(w|l) > r(l|w)",
    parameters: &[],
    build: |_| Ok(function("pit", loss)),
};

/// See [`super::FIDELITY`].
pub const FIDELITY: &str = "equations; the mean over pairs is a guess";

fn loss(columns: &Columns) -> Result<Loss> {
    let mut gaps: Vec<&[f64]> = Vec::with_capacity(GAPS.len());
    for name in GAPS {
        let values = columns.signal(name)?;
        if let Some(first) = gaps.first().filter(|first| first.len() != values.len()) {
            return Err(Error::usage(
                format!("{name} has {} values, and {} has {}", values.len(), GAPS[0], first.len()),
                "each gap has one value per pair",
            ));
        }
        gaps.push(values);
    }
    let pairs = gaps[0].len();
    let share = 1.0 / pairs.max(1) as f64;
    let mut loss = Loss::zero(columns);
    let mut slopes = vec![vec![0.0; pairs]; GAPS.len()];
    let mut orders = vec![0.0; ORDERS.len()];
    for (order, &(greater, lesser)) in ORDERS.iter().enumerate() {
        let differences: Vec<f64> = gaps[greater].iter().zip(gaps[lesser]).map(|(a, b)| a - b).collect();
        orders[order] = share * exact(differences.iter().map(|x| -log_sigmoid(*x)));
        for (pair, x) in differences.iter().enumerate() {
            let slope = share * logistic(-x);
            slopes[greater][pair] -= slope;
            slopes[lesser][pair] += slope;
        }
    }
    loss.value = orders.iter().sum();
    loss.part("pairs", pairs as f64);
    loss.outputs.insert("order_losses".into(), orders);
    loss.signals.extend(GAPS.map(str::to_owned).into_iter().zip(slopes));
    Ok(loss)
}

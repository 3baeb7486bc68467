//! Rewards of prompts of several sources, normalised so that none of them rules the batch.

use meed_operators::Result;
use meed_operators::credit::{
    By, Expr, Statistic, aggregate, batch, mean, members, min_max, rank, signal, std, when,
};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, Parameters, parameter};

/// Which source a prompt is from.
pub const DATA_SOURCE: Input =
    input("data_source", Of::Text, "data set that the prompt is from", "import it with the prompt");

/// Parameters of the normalisation.
pub const SOURCES: &[Parameter] = &[
    parameter(
        "normaliser",
        "zscore",
        "per source: none, zscore, minmax, robustz (tanh of half the robust score of winsorised values), cdf (rank, from -1 to 1), james (mean and variance shrunk to the batch's), decentralize (its own mean, the batch's deviation), selfadapt (tanh of half the centred value)",
    ),
    parameter("shrinkage", "50", "of james: rollouts of a source that weigh as much as the batch"),
];

const KNOWN: &[&str] = &["none", "zscore", "minmax", "robustz", "cdf", "james", "decentralize", "selfadapt"];
const EPS: f64 = 1e-6;

/// `x` normalised over the rollouts of its source in the batch.
pub fn by_source(parameters: &Parameters, x: Expr) -> Result<Expr> {
    let source = || batch().and(signal("data_source"));
    let shrinkage = parameters.number("shrinkage")?;
    let x = || x.clone();
    let centred = || x() - mean(x(), source());
    Ok(match parameters.text("normaliser")? {
        "none" => x(),
        "zscore" => {
            let deviation = || std(x(), source(), 0);
            centred() / when(deviation().at_most(EPS), 1.0, deviation())
        }
        "minmax" => min_max(x(), source()),
        "robustz" => robust(x(), source()),
        "cdf" => {
            // Ties have the mean of their ranks: those from below and from above have the same order.
            let count = || members(x(), source());
            let rank = |ascending: bool| rank(x(), source(), ascending);
            let between = 0.5 * (rank(true) + count() - 1.0 - rank(false));
            2.0 * (between + 0.5) / count() - 1.0
        }
        "james" => {
            let weight = || members(x(), source()) / (members(x(), source()) + shrinkage);
            let shrunk = |statistic: &dyn Fn(By) -> Expr| {
                weight() * statistic(source()) + (1.0 - weight()) * statistic(batch())
            };
            let variance = |by: By| aggregate(Statistic::Variance { ddof: 0 }, x(), by);
            // The program's numbers have the epsilon twice here, and in the z-score not at all.
            (x() - shrunk(&|by| mean(x(), by))) / (shrunk(&variance).sqrt() + 2.0 * EPS)
        }
        "decentralize" => centred() / (std(x(), batch(), 0) + EPS),
        "selfadapt" => (centred() / 2.0).tanh(),
        _ => return Err(parameters.unknown("normaliser", KNOWN)),
    })
}

/// `tanh(z / 2)` with `z` by median and median deviation, of values cut at the 1st and the 99th percentile.
fn robust(x: Expr, by: By) -> Expr {
    let statistic = |statistic: Statistic, x: Expr| aggregate(statistic, x, by.clone());
    let cut = || {
        let low = statistic(Statistic::Quantile(0.01), x.clone());
        x.clone().max(low).min(statistic(Statistic::Quantile(0.99), x.clone()))
    };
    let centred = || cut() - statistic(Statistic::Median, cut());
    let deviation = || 1.4826 * statistic(Statistic::Median, centred().abs());
    (centred() / when(deviation().equals(0.0), 1.0, deviation()) / 2.0).tanh()
}

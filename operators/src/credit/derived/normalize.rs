//! Normalisation with every convention named: centre, scale, epsilons, zero and singleton rules.

use crate::credit::build::{aggregate, batch, group, mean, members, sum, when};
use crate::credit::expression::{By, Expr, Scope, Statistic};
use crate::credit::level::Level;

/// What is subtracted.
#[derive(Debug, Clone, PartialEq)]
pub enum Center {
    /// Nothing.
    None,
    /// The mean of the members with the same key.
    Mean(By),
    /// The mean of the other members with the same key.
    LeaveOneOut(By),
    /// The mean weighted by a signal, such as the length.
    Weighted(By, Expr),
    /// Another expression, such as a learned or running baseline.
    Given(Expr),
}

/// What the difference is divided by.
#[derive(Debug, Clone, PartialEq)]
pub enum Scale {
    /// Nothing.
    None,
    /// Standard deviation of the members with the same key.
    Std(By),
    /// Standard deviation of the other members with the same key, about their own mean.
    LeaveOneOutStd(By),
    /// Standard deviation of the centred values, about their own mean.
    StdOfCentered(By),
    /// Root of the sum of squares of the centred values over `count - ddof`: the deviation about
    /// the centre that was subtracted.
    StdAboutCenter(By),
    /// Mean of the members with the same key.
    Mean(By),
    /// Another expression.
    Given(Expr),
}

/// What happens where the scale is 0 (or does not exist, for too few members).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ZeroStd {
    /// Divide by `0 + eps`.
    Divide,
    /// Do not divide.
    Skip,
    /// The result is 0 where the scale is not above the bound.
    ZeroBelow(f64),
}

/// What the only member of a group gets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Singleton {
    /// 0.
    Zero,
    /// The value itself.
    Raw,
    /// The value over `1 + eps`: mean 0, deviation 1.
    RawOverOnePlusEps,
    /// No advantage: null, so that the rollout is not trained on.
    Null,
    /// No rule: whatever the formula gives.
    Formula,
}

/// A normalisation, fully specified.
///
/// `(x - center) / (sqrt(max(variance, variance_floor) + variance_eps) + eps)`, computed in `f64`;
/// group statistics in two passes in canonical order, batch statistics from exactly rounded sums.
#[derive(Debug, Clone, PartialEq)]
pub struct Norm {
    /// What is subtracted.
    pub center: Center,
    /// What it is divided by.
    pub scale: Scale,
    /// Delta degrees of freedom of the deviation: 1 sample, 0 population.
    pub ddof: u8,
    /// Added to the variance, inside the root.
    pub variance_eps: f64,
    /// Lower bound of the variance.
    pub variance_floor: f64,
    /// Added to the deviation.
    pub eps: f64,
    /// Rule for a scale of 0.
    pub zero_std: ZeroStd,
    /// Rule for groups of one.
    pub singleton: Singleton,
    /// Who counts as a group of one; by default the members of the centre, or of the scale.
    pub singleton_by: Option<By>,
    /// Count values at this finer level: tokens make long rollouts weigh more.
    pub counted_at: Option<Level>,
    /// Count one member (the first) per value of this key: rollouts that have several rows.
    pub once_per: Option<Expr>,
}

impl Norm {
    /// Mean and sample standard deviation of the group, epsilon added to the deviation: GRPO.
    pub fn group_std(eps: f64) -> Self {
        Norm {
            center: Center::Mean(group()),
            scale: Scale::Std(group()),
            ddof: 1,
            variance_eps: 0.0,
            variance_floor: 0.0,
            eps,
            zero_std: ZeroStd::Divide,
            singleton: Singleton::Zero,
            singleton_by: None,
            counted_at: None,
            once_per: None,
        }
    }

    /// Mean and sample deviation over the batch, with `eps` inside the root: the usual whitening.
    pub fn whitening(variance_eps: f64) -> Self {
        Norm {
            center: Center::Mean(batch()),
            scale: Scale::Std(batch()),
            variance_eps,
            eps: 0.0,
            singleton: Singleton::Formula,
            ..Norm::group_std(0.0)
        }
    }
}

/// `x` normalised (see [`Norm`]).
///
/// ```
/// use meed_operators::credit::*;
/// let norm = Norm { scale: Scale::None, ..Norm::group_std(0.0) };
/// let text = normalize(signal("reward"), &norm).to_string();
/// assert!(text.contains("reward - mean(reward, by(group))"));
/// ```
pub fn normalize(x: Expr, norm: &Norm) -> Expr {
    let counted = match &norm.counted_at {
        Some(level) => x.clone().spread(level.clone()),
        None => x.clone(),
    };
    let once = |statistic: Expr| match &norm.once_per {
        Some(key) => statistic.once_per(key.clone()),
        None => statistic,
    };
    let center = match &norm.center {
        Center::None => None,
        Center::Mean(by) => Some(once(mean(counted.clone(), by.clone()))),
        Center::LeaveOneOut(by) if by.scope == Scope::Batch => {
            let (total, count) = (sum(counted.clone(), by.clone()), members(counted.clone(), by.clone()));
            Some((total - x.clone()) / (count - 1.0).max(1.0))
        }
        Center::LeaveOneOut(by) => Some(once(mean(counted.clone(), by.clone()).of_others())),
        Center::Weighted(by, weights) => {
            Some(once(mean(counted.clone(), by.clone()).weighted(weights.clone())))
        }
        Center::Given(center) => Some(center.clone()),
    };
    let centered = match center {
        Some(center) => x.clone() - center,
        None => x.clone(),
    };
    let spread_centered = match &norm.counted_at {
        Some(level) => centered.clone().spread(level.clone()),
        None => centered.clone(),
    };
    let variance = Statistic::Variance { ddof: norm.ddof };
    let deviation = |variance: Expr| {
        let floored = if norm.variance_floor > 0.0 { variance.max(norm.variance_floor) } else { variance };
        let padded = if norm.variance_eps > 0.0 { floored + norm.variance_eps } else { floored };
        padded.sqrt()
    };
    let scale = match &norm.scale {
        Scale::None => None,
        Scale::Std(by) => Some(deviation(once(aggregate(variance, counted.clone(), by.clone())))),
        Scale::LeaveOneOutStd(by) => {
            Some(deviation(once(aggregate(variance, counted.clone(), by.clone()).of_others())))
        }
        Scale::StdOfCentered(by) => {
            Some(deviation(once(aggregate(variance, spread_centered.clone(), by.clone()))))
        }
        Scale::StdAboutCenter(by) => {
            let squares = once(sum(squares_of(&centered, norm), by.clone()));
            let degrees = once(members(spread_centered, by.clone())) - f64::from(norm.ddof);
            Some(deviation(squares.null_if(degrees.clone().at_most(0.0)) / degrees.max(1.0)))
        }
        Scale::Mean(by) => Some(once(mean(counted.clone(), by.clone()))),
        Scale::Given(scale) => Some(scale.clone()),
    };
    let scaled = match scale {
        None => centered.clone(),
        Some(scale) => {
            let known = scale.clone().or_else(0.0);
            match norm.zero_std {
                ZeroStd::Divide => centered.clone() / (scale + norm.eps),
                ZeroStd::Skip => {
                    when(known.clone().equals(0.0), centered.clone(), centered.clone() / (known + norm.eps))
                }
                ZeroStd::ZeroBelow(bound) => when(
                    known.clone().at_most(bound),
                    centered.clone() * 0.0,
                    centered.clone() / (known + norm.eps),
                ),
            }
        }
    };
    match norm.singleton {
        Singleton::Formula => scaled,
        rule => {
            let alone = once(members(x.clone(), singleton_scope(norm))).equals(1.0);
            let only = match rule {
                Singleton::Zero => x.clone() * 0.0,
                Singleton::Raw | Singleton::Formula => x.clone(),
                Singleton::RawOverOnePlusEps => x.clone() / (1.0 + norm.eps),
                Singleton::Null => x.clone().null_if(x.clone().is_null().negated()),
            };
            when(alone, only, scaled)
        }
    }
}

/// Squares of the centred values, at the level where values are counted.
fn squares_of(centered: &Expr, norm: &Norm) -> Expr {
    let squares = centered.clone().square();
    match &norm.counted_at {
        Some(level) => squares.spread(level.clone()),
        None => squares,
    }
}

/// A singleton is alone among the members of the centre, or of the scale without a centre.
fn singleton_scope(norm: &Norm) -> By {
    if let Some(by) = &norm.singleton_by {
        return by.clone();
    }
    match (&norm.center, &norm.scale) {
        (Center::Mean(by) | Center::LeaveOneOut(by) | Center::Weighted(by, _), _) => by.clone(),
        (
            _,
            Scale::Std(by)
            | Scale::LeaveOneOutStd(by)
            | Scale::StdOfCentered(by)
            | Scale::StdAboutCenter(by)
            | Scale::Mean(by),
        ) => by.clone(),
        _ => group(),
    }
}

/// `x` whitened over the batch: mean 0, deviation 1, epsilon inside the root.
pub fn whiten(x: Expr, variance_eps: f64) -> Expr {
    normalize(x, &Norm::whitening(variance_eps))
}

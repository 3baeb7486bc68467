//! Selections of tokens: by covariance, corrections, drift and entropy.

use super::case::{Case, a, clip_loss, mu, ratio, same, with};
use super::naive::{old, on, row_of, tokens};
use crate::objectives::{
    Anchor, Clip, ClipCov, Columns, Correction, EntropyMask, KlCov, Level, Mode, OffPolicyMask, Statistic,
};

fn covariance(c: &Columns, t: usize, logprobs: &[f64]) -> f64 {
    let on: Vec<usize> = (0..c.tokens()).filter(|&t| c.mask[t]).collect();
    let mean = |f: &dyn Fn(usize) -> f64| on.iter().map(|&t| f(t)).sum::<f64>() / on.len() as f64;
    (a(c, t) - mean(&|t| a(c, t))) * (logprobs[t] - mean(&|t| logprobs[t]))
}

pub fn covariances() -> Vec<Case> {
    let clip = Clip::offsets(0.2, 0.2);
    vec![
        (
            "clip-cov on every candidate",
            with(ClipCov { clip, fraction: 1.0, lower: 0.1, upper: 1.0, seed: 0 }, same),
            tokens(Mode::TokenMean, |c, t, live, frozen| {
                let (a, r) = (a(c, t), ratio(c, t, frozen));
                let clipped = -a * r.clamp(0.8, 1.2) > -a * r;
                let cov = covariance(c, t, frozen);
                if !clipped && cov > 0.1 && cov < 1.0 {
                    return 0.0;
                }
                clip_loss(ratio(c, t, live), 0.8, 1.2, a)
            }),
        ),
        (
            "kl-cov",
            with(KlCov { fraction: 0.3, coef: 0.7 }, same),
            tokens(Mode::TokenMean, |c, t, live, frozen| {
                let on: Vec<usize> = (0..c.tokens()).filter(|&t| c.mask[t]).collect();
                let count = ((0.3 * on.len() as f64) as usize).max(1);
                let higher =
                    on.iter().filter(|&&u| covariance(c, u, frozen) > covariance(c, t, frozen)).count();
                let penalty = if higher < count { 0.7 * (live[t] - old(c, t)).abs() } else { 0.0 };
                -a(c, t) * ratio(c, t, live) + penalty
            }),
        ),
    ]
}

pub fn masks() -> Vec<Case> {
    let base = |c: &Columns, t: usize, live: &[f64]| clip_loss(ratio(c, t, live), 0.8, 1.2, a(c, t));
    vec![
        (
            "icepop and a mask of the sequence",
            with(Clip::offsets(0.2, 0.2), |o| {
                o.weightings.push(Box::new(Correction::icepop(Level::Token, 0.7, 1.4)));
                o.weightings.push(Box::new(Correction::mask(Statistic::Ratio, Level::Mean, 0.8, 1.2)));
            }),
            tokens(Mode::TokenMean, move |c, t, live, _| {
                let rho = |t: usize| old(c, t) - mu(c, t);
                let on = on(c, row_of(c, t));
                let mean = (on.iter().map(|&t| rho(t)).sum::<f64>() / on.len() as f64).exp();
                let (weight, fits) = (rho(t).exp(), (0.8..=1.2).contains(&mean));
                if fits && (0.7..=1.4).contains(&weight) { weight * base(c, t, live) } else { 0.0 }
            }),
        ),
        (
            "a mask that leaves the denominator",
            with(Clip::offsets(0.2, 0.2), |o| {
                let mask = Correction::mask(Statistic::Probability, Level::Token, -0.1, 0.1);
                o.weightings.push(Box::new(Correction { uncounted: true, ..mask }));
            }),
            Box::new(move |c, live, _| {
                let on: Vec<usize> = (0..c.tokens())
                    .filter(|&t| c.mask[t] && (old(c, t).exp() - mu(c, t).exp()).abs() <= 0.1)
                    .collect();
                let sum: f64 = on.iter().map(|&t| base(c, t, live)).sum();
                if on.is_empty() { 0.0 } else { sum / on.len() as f64 }
            }),
        ),
        (
            "off-policy mask",
            with(Clip::offsets(0.2, 0.2), |o| {
                o.weightings.push(Box::new(OffPolicyMask { anchor: Anchor::Rollout, threshold: 0.05 }));
            }),
            tokens(Mode::TokenMean, move |c, t, live, frozen| {
                let on = on(c, row_of(c, t));
                let drift = on.iter().map(|&t| mu(c, t) - frozen[t]).sum::<f64>() / on.len() as f64;
                if drift > 0.05 && a(c, t) < 0.0 { 0.0 } else { base(c, t, live) }
            }),
        ),
        (
            "top entropy",
            with(Clip::offsets(0.2, 0.2), |o| {
                o.weightings.push(Box::new(EntropyMask { keep_top: 0.5 }));
            }),
            tokens(Mode::TokenMean, move |c, t, live, _| {
                let entropies = c.entropies.as_ref().unwrap();
                let mut on: Vec<f64> = (0..c.tokens()).filter(|&t| c.mask[t]).map(|t| entropies[t]).collect();
                on.sort_by(f64::total_cmp);
                let median = (on[(on.len() - 1) / 2] + on[on.len() / 2]) / 2.0;
                if entropies[t] >= median { base(c, t, live) } else { 0.0 }
            }),
        ),
    ]
}

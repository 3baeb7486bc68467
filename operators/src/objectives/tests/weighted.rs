//! Weights on log-probabilities, gates and trust regions.

use super::case::{Case, a, mu, ratio, same, with};
use super::naive::{old, on, row_of, tokens};
use crate::objectives::surrogate::{
    capped_weight, inside_weight, masked_weight, negative_log_likelihood, reinforce, soft_gate,
    squared_log_ratio_reinforce, unclipped,
};
use crate::objectives::{
    Anchor, Columns, Correction, Level, MiniRl, Mode, Movement, Pool, Ratio, Region, Topr, TrustRegion, Vespo,
};

pub fn weighted() -> Vec<Case> {
    let detached = |weight: fn(f64, f64) -> f64| {
        tokens(Mode::TokenMean, move |c, t, live, frozen| {
            -weight(ratio(c, t, frozen), a(c, t)) * a(c, t) * live[t]
        })
    };
    vec![
        ("reinforce", with(reinforce(), same), detached(|_, _| 1.0)),
        (
            "negative log-likelihood",
            with(negative_log_likelihood(), same),
            tokens(Mode::TokenMean, |_, t, live, _| -live[t]),
        ),
        ("capped", with(capped_weight(0.8, 1.2), same), detached(|r, _| r.clamp(0.8, 1.2))),
        ("masked", with(masked_weight(0.8, 1.2), same), {
            detached(
                |r, a| {
                    if (a > 0.0 && r > 1.2) || (a < 0.0 && r < 0.8) { 0.0 } else { r.clamp(0.8, 1.2) }
                },
            )
        }),
        ("inside", with(inside_weight(0.8, 1.2), same), {
            detached(|r, _| if r > 0.8 && r < 1.2 { r } else { 0.0 })
        }),
        (
            "unclipped",
            with(unclipped(), same),
            tokens(Mode::TokenMean, |c, t, live, _| -a(c, t) * ratio(c, t, live)),
        ),
        (
            "on-policy",
            with(unclipped(), |o| o.ratio.anchor = Anchor::Current),
            tokens(Mode::TokenMean, |c, t, live, frozen| -a(c, t) * (live[t] - frozen[t]).exp()),
        ),
        (
            "soft gate",
            with(soft_gate(1.0, 1.5), same),
            tokens(Mode::TokenMean, |c, t, live, _| {
                let tau = if a(c, t) > 0.0 { 1.0 } else { 1.5 };
                -4.0 / tau / (1.0 + (-tau * (ratio(c, t, live) - 1.0)).exp()) * a(c, t)
            }),
        ),
        (
            "squared log-ratio",
            with(squared_log_ratio_reinforce(0.3), same),
            tokens(Mode::TokenMean, |c, t, live, _| {
                -a(c, t) * live[t] + 0.15 * (live[t] - old(c, t)).powi(2)
            }),
        ),
        (
            "minirl with a truncated weight to the sampling policy",
            with(MiniRl { low: 0.2, high: 0.27 }, |o| {
                let weight = Correction::truncated(Level::Token, 0.0, 1.2);
                o.weightings.push(Box::new(Correction { numerator: Anchor::Current, ..weight }));
            }),
            tokens(Mode::TokenMean, |c, t, live, frozen| {
                let (r, a) = (ratio(c, t, frozen), a(c, t));
                let masked = (a > 0.0 && r > 1.27) || (a < 0.0 && r < 0.8);
                let weight = (frozen[t] - mu(c, t)).exp().min(1.2);
                if masked { 0.0 } else { -weight * a * live[t] }
            }),
        ),
        (
            "topr",
            with(Topr { positive: 1.0, negative: 0.5, bounds: (0.0, 1.0) }, same),
            tokens(Mode::TokenMean, |c, t, live, frozen| {
                let positive = c.rewards.as_ref().unwrap()[row_of(c, t)] > 0.0;
                let weight = if positive { 1.0 } else { 0.5 * ratio(c, t, frozen).min(1.0) };
                -weight * a(c, t) * live[t]
            }),
        ),
        (
            "vespo",
            with(Vespo::default(), |o| o.ratio = Ratio { pool: Pool::Sum, ..Ratio::sequence() }),
            tokens(Mode::TokenMean, |c, t, live, frozen| {
                let on = on(c, row_of(c, t));
                let log_w: f64 = on.iter().map(|&t| frozen[t] - old(c, t)).sum();
                let (k, l) = if a(c, t) >= 0.0 { (2.0, 3.0) } else { (3.0, 2.0) };
                -(l + k * log_w - l * log_w.exp()).exp() * a(c, t) * live[t]
            }),
        ),
    ]
}

pub fn regions() -> Vec<Case> {
    let region = Region::Directed { low: 0.05, high: 0.08, zero_kept: false };
    let through = TrustRegion {
        anchor: Anchor::Rollout,
        squared_log_ratio: 0.1,
        ..TrustRegion::new(Movement::TotalVariation, region)
    };
    let capped = TrustRegion { ratio_cap: Some(1.1), ..TrustRegion::new(Movement::BinaryKl, region) };
    let reverse = TrustRegion { reverse_kl: true, anchor: Anchor::Rollout, ..through };
    let x = |c: &Columns, t: usize, logprobs: &[f64]| logprobs[t] - mu(c, t);
    vec![
        (
            "total variation",
            with(through, |o| o.ratio.anchor = Anchor::Rollout),
            tokens(Mode::TokenMean, move |c, t, live, frozen| {
                let moved = frozen[t].exp() - mu(c, t).exp();
                let kept = if a(c, t) > 0.0 { moved <= 0.08 } else { moved >= -0.05 };
                let policy = if kept { -a(c, t) * x(c, t, live).exp() } else { 0.0 };
                policy + 0.1 * x(c, t, live).powi(2)
            }),
        ),
        (
            "binary divergence, capped",
            with(capped, same),
            tokens(Mode::TokenMean, |c, t, live, frozen| {
                let (p, q) = (frozen[t].exp(), old(c, t).exp());
                let kl = q * (q / p).ln() + (1.0 - q) * ((1.0 - q) / (1.0 - p)).ln();
                let dropped = if a(c, t) > 0.0 { p > q && kl > 0.08 } else { p < q && kl > 0.05 };
                if dropped { 0.0 } else { -ratio(c, t, frozen).min(1.1) * a(c, t) * live[t] }
            }),
        ),
        (
            "reverse divergence from the reference",
            with(reverse, |o| o.ratio.anchor = Anchor::Rollout),
            tokens(Mode::TokenMean, move |c, t, live, frozen| {
                let advantage = c.ref_logprobs.as_ref().unwrap()[t] - frozen[t];
                let kept = frozen[t].exp() - mu(c, t).exp() >= -0.05;
                let policy = if kept { -advantage * x(c, t, live).exp() } else { 0.0 };
                policy + 0.1 * x(c, t, live).powi(2)
            }),
        ),
    ]
}

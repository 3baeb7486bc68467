//! Policy objectives against their formulas.

use proptest::prelude::*;

use super::batch::batch;
use super::naive::{mean_log_ratio, old, on, row_of, tokens};
use super::{Naive, check};
use crate::objectives::real::{Form, Real};
use crate::objectives::surrogate::{
    capped_weight, inside_weight, masked_weight, negative_log_likelihood, reinforce, soft_gate,
    squared_log_ratio_reinforce, unclipped,
};
use crate::objectives::{
    Aggregate, Anchor, Clip, ClipCov, Columns, Correction, EntropyMask, Gradient, KlCov, Level, MiniRl, Mode,
    Movement, Objective, OffPolicyMask, PolicyObjective, Pool, Ratio, Region, Rows, Span, Statistic,
    Surrogate, Topr, TrustRegion, Vespo,
};

type Case = (&'static str, Box<dyn Objective>, Naive);

fn with(
    surrogate: impl Surrogate + 'static,
    change: impl FnOnce(&mut PolicyObjective),
) -> Box<dyn Objective> {
    let mut objective = PolicyObjective::new("case", surrogate);
    change(&mut objective);
    Box::new(objective)
}

fn same(_: &mut PolicyObjective) {}

fn a(columns: &Columns, t: usize) -> f64 {
    columns.advantages[t]
}

fn clip_loss(ratio: f64, low: f64, high: f64, advantage: f64) -> f64 {
    (-advantage * ratio).max(-advantage * ratio.max(low).min(high))
}

fn ratio(columns: &Columns, t: usize, logprobs: &[f64]) -> f64 {
    (logprobs[t] - old(columns, t)).exp()
}

fn mu(columns: &Columns, t: usize) -> f64 {
    columns.rollout_logprobs.as_ref().unwrap()[t]
}

fn aggregates() -> Vec<Aggregate> {
    let modes = [
        Mode::TokenMean,
        Mode::TokenSum,
        Mode::SequenceMeanTokenMean,
        Mode::SequenceMeanTokenSum,
        Mode::TokenSumNorm { horizon: 7.0, divide_by_rows: true },
        Mode::GroupMeanTokenMean,
        Mode::TrajectoryMeanTokenMean,
        Mode::Sum { denominator: 3.0 },
    ];
    let mut all: Vec<Aggregate> = modes.into_iter().map(Aggregate::from).collect();
    all.extend(
        [Mode::SequenceMeanTokenMean, Mode::SequenceMeanTokenSum]
            .map(|mode| Aggregate { rows: Rows::Trainable, ..mode.into() }),
    );
    all
}

fn clips() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for by in aggregates() {
        cases.push((
            "clip under every aggregate",
            with(Clip::offsets(0.2, 0.28), |objective| objective.aggregate = by),
            tokens(by, |c, t, live, _| clip_loss(ratio(c, t, live), 0.8, 1.28, a(c, t))),
        ));
    }
    let bounded = Clip { dual: Some(1.3), delta: Some(1.4), ..Clip::offsets(0.2, 0.2) };
    cases.push((
        "dual and two-sided clip",
        with(bounded, same),
        tokens(Mode::TokenMean, |c, t, live, _| {
            let (r, a) = (ratio(c, t, live), a(c, t));
            let loss = (-a * r.min(1.4)).max(-a * r.clamp(0.8, 1.2));
            if a < 0.0 { loss.min(-a * 1.3) } else { loss }
        }),
    ));
    for (name, gradient) in
        [("gspo", Gradient::Through), ("gspo, straight through", Gradient::StraightThrough)]
    {
        cases.push((
            name,
            with(Clip::offsets(0.1, 0.1), |o| o.ratio = Ratio { gradient, ..Ratio::sequence() }),
            tokens(Mode::TokenMean, move |c, t, live, frozen| {
                let s = match gradient {
                    Gradient::Through => mean_log_ratio(c, t, live),
                    Gradient::StraightThrough => mean_log_ratio(c, t, frozen) + live[t] - frozen[t],
                };
                clip_loss(s.exp(), 0.9, 1.1, a(c, t))
            }),
        ));
    }
    cases.push((
        "product of the sequence, observations included",
        with(Clip::offsets(0.3, 0.3), |o| {
            o.ratio = Ratio { pool: Pool::Sum, all_tokens: true, ..Ratio::sequence() }
        }),
        tokens(Mode::TokenMean, |c, t, live, _| {
            let sum: f64 = c.range(row_of(c, t)).map(|t| live[t] - old(c, t)).sum();
            clip_loss(sum.exp(), 0.7, 1.3, a(c, t))
        }),
    ));
    cases.push((
        "segments",
        with(Clip::offsets(0.1, 0.1), |o| o.ratio.span = Span::Segment),
        tokens(Mode::TokenMean, |c, t, live, _| {
            let range = c.range(row_of(c, t));
            let first = (range.start..=t).rev().take_while(|&t| c.mask[t]).last().unwrap();
            let run: Vec<usize> = (first..range.end).take_while(|&t| c.mask[t]).collect();
            let sum: f64 = run.iter().map(|&t| live[t] - old(c, t)).sum();
            clip_loss((sum / run.len() as f64).exp(), 0.9, 1.1, a(c, t))
        }),
    ));
    cases.push((
        "gmpo",
        with(unclipped(), |o| {
            o.ratio = Ratio { log_clip: Some((0.2, 0.3)), ..Ratio::sequence() };
            o.advantages = crate::objectives::Advantages::RowMean;
            o.aggregate = Mode::SequenceMeanTokenMean.into();
        }),
        tokens(Mode::SequenceMeanTokenMean, |c, t, live, _| {
            let on = on(c, row_of(c, t));
            let clipped = |&t: &usize| {
                let (x, sign) = (live[t] - old(c, t), a(c, t).signum());
                sign * (sign * x).min(sign * x.clamp(-0.2, 0.3))
            };
            let n = on.len() as f64;
            let advantage = on.iter().map(|&t| a(c, t)).sum::<f64>() / n;
            -advantage * (on.iter().map(clipped).sum::<f64>() / n).exp()
        }),
    ));
    cases
}

fn weighted() -> Vec<Case> {
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

fn regions() -> Vec<Case> {
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

fn covariance(c: &Columns, t: usize, logprobs: &[f64]) -> f64 {
    let on: Vec<usize> = (0..c.tokens()).filter(|&t| c.mask[t]).collect();
    let mean = |f: &dyn Fn(usize) -> f64| on.iter().map(|&t| f(t)).sum::<f64>() / on.len() as f64;
    (a(c, t) - mean(&|t| a(c, t))) * (logprobs[t] - mean(&|t| logprobs[t]))
}

fn covariances() -> Vec<Case> {
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

fn masks() -> Vec<Case> {
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

fn real() -> Vec<Case> {
    [Form::Real, Form::Bce, Form::Product]
        .map(|form| {
            let naive: Naive = Box::new(move |c, live, _| {
                let mut groups = c.groups.clone();
                groups.dedup();
                let (mut total, mut mixed) = (0.0, 0.0);
                for group in &groups {
                    let rows: Vec<usize> = (0..c.rollouts()).filter(|&row| c.group(row) == *group).collect();
                    let score = |row: usize| {
                        let on = on(c, row);
                        let n = (on.len() as f64).max(1.0);
                        on.iter().map(|&t| live[t] - old(c, t)).sum::<f64>() / n / 0.5
                    };
                    let reward = |row: usize| c.rewards.as_ref().unwrap()[row];
                    let best = rows.iter().map(|&row| reward(row)).fold(f64::MIN, f64::max);
                    let right = |row: &&usize| reward(**row) == best;
                    let positive: f64 = rows.iter().filter(right).map(|&row| (-score(row)).exp()).sum();
                    let negative: f64 =
                        rows.iter().filter(|row| !right(row)).map(|&row| score(row).exp()).sum();
                    if negative == 0.0 {
                        continue;
                    }
                    mixed += rows.len() as f64;
                    total += match form {
                        Form::Real => (1.0 + positive).ln() + (1.0 + negative).ln(),
                        Form::Product => (1.0 + positive * negative).ln(),
                        Form::Bce => rows
                            .iter()
                            .map(|row| if right(&row) { -score(*row) } else { score(*row) })
                            .map(|logit| (1.0 + logit.exp()).ln())
                            .sum(),
                    };
                }
                let divisor = if form == Form::Bce { mixed } else { groups.len() as f64 };
                if divisor == 0.0 { 0.0 } else { total / divisor }
            });
            ("real", Box::new(Real { form, tau: 0.5 }) as Box<dyn Objective>, naive)
        })
        .into_iter()
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn gradients_are_those_of_the_formulas(seed in any::<u64>()) {
        let columns = batch(seed);
        // The covariances of one or two tokens tie.
        let many = columns.mask.iter().filter(|&&on| on).count() > 2;
        let covariances = if many { covariances() } else { Vec::new() };
        for family in [clips(), weighted(), regions(), covariances, masks(), real()] {
            for (name, objective, naive) in family {
                check(name, objective.as_ref(), &naive, &columns);
            }
        }
    }
}

#[test]
fn gradients_are_compared_at_most_tokens() {
    let (mut compared, mut trainable) = (0, 0);
    for seed in 0..20 {
        let columns = batch(seed);
        for (name, objective, naive) in clips() {
            compared += check(name, objective.as_ref(), &naive, &columns);
            trainable += columns.mask.iter().filter(|&&on| on).count();
        }
    }
    assert!(compared * 100 >= trainable * 99, "{compared} of {trainable}");
}

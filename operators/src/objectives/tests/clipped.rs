//! Clips, and the ratios and aggregates that they run under.

use super::case::{Case, a, clip_loss, ratio, same, with};
use super::naive::{mean_log_ratio, old, on, row_of, tokens};
use crate::objectives::surrogate::unclipped;
use crate::objectives::{Advantages, Aggregate, Clip, Gradient, Mode, Pool, Ratio, Rows, Span};

fn aggregates() -> Vec<Aggregate> {
    let modes = [
        Mode::TokenMean,
        Mode::TokenSum,
        Mode::AllTokens,
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

pub fn clips() -> Vec<Case> {
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
            o.advantages = Advantages::RowMean;
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

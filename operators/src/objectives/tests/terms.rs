//! Added terms against their formulas: divergence, entropy, values.

use proptest::prelude::*;

use super::batch::batch;
use super::check;
use super::naive::{aggregate, tokens};
use crate::objectives::surrogate::{Each, Token};
use crate::objectives::{
    Aggregate, Anchor, Columns, Divergence, EntropyBonus, ErrorLoss, Estimator, Importance, Loss, Mode,
    Objective, PolicyObjective, ValueLoss,
};

fn nothing() -> PolicyObjective {
    PolicyObjective::new("term", Each(|_: &Columns, _, _, _| Token::default()))
}

fn divergences() -> Vec<Divergence> {
    let estimators = [Estimator::K1, Estimator::K2, Estimator::K3, Estimator::Abs];
    let weights = [
        Importance::None,
        Importance::Ratio(Anchor::Old),
        Importance::Ratio(Anchor::Rollout),
        Importance::Ratio(Anchor::Current),
        Importance::DetachedRatio(Anchor::Old),
    ];
    let mut all = Vec::new();
    for estimator in estimators {
        for importance in weights {
            all.push(Divergence { coef: 0.3, estimator, importance, ..Divergence::default() });
        }
        let clamped =
            Divergence { coef: 0.3, estimator, clamp_log_ratio: Some(0.5), ..Divergence::default() };
        all.push(clamped);
        all.push(Divergence { clamp_log_ratio: None, clamp_value: Some(0.1), ..clamped });
        all.push(Divergence { clamp_log_ratio: None, straight_through: true, ..clamped });
    }
    all
}

fn estimate(estimator: Estimator, d: f64) -> f64 {
    match estimator {
        Estimator::K1 => d,
        Estimator::K2 => 0.5 * d * d,
        Estimator::K3 => (-d).exp() - 1.0 + d,
        Estimator::Abs => d.abs(),
    }
}

fn divergence_of(kl: Divergence, columns: &Columns, t: usize, live: &[f64], frozen: &[f64]) -> f64 {
    let reference = columns.ref_logprobs.as_ref().unwrap()[t];
    let value = |logprob: f64| {
        let d = logprob - reference;
        let d = kl.clamp_log_ratio.map_or(d, |clamp| d.clamp(-clamp, clamp));
        let value = estimate(kl.estimator, d);
        kl.clamp_value.map_or(value, |clamp| value.clamp(-clamp, clamp))
    };
    if kl.straight_through {
        let square = |logprob: f64| 0.5 * (logprob - reference).powi(2);
        return value(frozen[t]) + square(live[t]) - square(frozen[t]);
    }
    let anchor = |anchor: Anchor| match anchor {
        Anchor::Old => columns.old_logprobs.as_ref().unwrap()[t],
        Anchor::Rollout => columns.rollout_logprobs.as_ref().unwrap()[t],
        Anchor::Current => frozen[t],
    };
    let weight = match kl.importance {
        Importance::None => 1.0,
        Importance::Ratio(to) => (live[t] - anchor(to)).exp(),
        Importance::DetachedRatio(to) => (frozen[t] - anchor(to)).exp(),
    };
    weight * value(live[t])
}

/// Compares gradients of another column than the log-probabilities with finite differences of the loss.
fn check_column(
    objective: &dyn Objective,
    columns: &Columns,
    column: fn(&mut Columns) -> &mut Vec<f64>,
    gradient: fn(&Loss) -> &Vec<f64>,
) {
    let loss = objective.loss(columns).unwrap();
    let step = 1e-6;
    for t in 0..columns.tokens() {
        let at = |h: f64| {
            let mut moved = columns.clone();
            column(&mut moved)[t] += h;
            objective.loss(&moved).unwrap().value
        };
        let (up, down) = ((at(step) - loss.value) / step, (loss.value - at(-step)) / step);
        if (up - down).abs() <= 1e-3 * up.abs().max(1.0) {
            let slope = (at(step) - at(-step)) / (2.0 * step);
            let got = gradient(&loss)[t];
            assert!((got - slope).abs() <= 1e-5 * slope.abs().max(1.0), "at {t}: {got} against {slope}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn divergences_are_those_of_the_estimators(seed in any::<u64>()) {
        let columns = batch(seed);
        for kl in divergences() {
            let mut objective = nothing();
            objective.aggregate = Mode::SequenceMeanTokenMean.into();
            objective.terms.push(Box::new(kl));
            let naive = tokens(Mode::SequenceMeanTokenMean, move |c, t, live, frozen| {
                kl.coef * divergence_of(kl, c, t, live, frozen)
            });
            check(&format!("{kl:?}"), &objective, &naive, &columns);
        }
    }

    #[test]
    fn entropies_and_values(seed in any::<u64>()) {
        let columns = batch(seed);
        let by = Aggregate::from(Mode::SequenceMeanTokenSum);
        let mut bonus = nothing();
        bonus.terms.push(Box::new(EntropyBonus { coef: 0.2, aggregate: Some(by) }));
        let entropies = columns.entropies.clone().unwrap();
        let value = -0.2 * aggregate(&columns, &by, &|t| entropies[t]);
        prop_assert!((bonus.loss(&columns).unwrap().value - value).abs() < 1e-12);
        check_column(&bonus, &columns, |c| c.entropies.as_mut().unwrap(), |l| l.entropies.as_ref().unwrap());
        for error in [ErrorLoss::Squared, ErrorLoss::Huber { delta: 0.3 }] {
            for clip in [None, Some(0.2)] {
                let loss = ValueLoss { coef: 0.5, clip, error, ..ValueLoss::default() };
                let mut critic = nothing();
                critic.terms.push(Box::new(loss));
                check_column(&critic, &columns, |c| c.values.as_mut().unwrap(), |l| l.values.as_ref().unwrap());
            }
        }
    }
}

#[test]
fn a_huber_error_is_linear_beyond_its_delta() {
    let loss = ValueLoss { error: ErrorLoss::Huber { delta: 1.0 }, ..ValueLoss::default() };
    assert_eq!(loss.token(0.5, 0.0, 0.0), (0.125, 0.5, false));
    assert_eq!(loss.token(3.0, 0.0, 0.0), (2.5, 1.0, false));
    assert_eq!(loss.token(-3.0, 0.0, 0.0), (2.5, -1.0, false));
}

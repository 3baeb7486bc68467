//! Learning-rate schedules, as values with names and parameters.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// A learning rate for every optimiser step: a linear warm-up from 0, then a [`Decay`] from `peak` to
/// `floor`. Written as JSON it keeps its name and parameters.
///
/// ```
/// use meed_operators::update::{Decay, Schedule};
/// let schedule = Schedule { peak: 1e-3, floor: 1e-4, warm_up: 10, decay: Decay::Cosine { steps: 100 } };
/// assert_eq!(schedule.rate(0), 0.0);
/// assert_eq!(schedule.rate(5), 5e-4);
/// assert_eq!(schedule.rate(10), 1e-3);
/// assert!((schedule.rate(60) - 5.5e-4).abs() < 1e-12);
/// assert_eq!(schedule.rate(1000), 1e-4);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// The largest rate.
    pub peak: f64,
    /// The smallest rate after the warm-up.
    pub floor: f64,
    /// Step `s` of so many first ones has the rate `peak * s / warm_up`.
    pub warm_up: u64,
    /// What follows.
    pub decay: Decay,
}

/// How a rate falls; `t` counts steps after the warm-up, and `z = t / steps`, at most 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum Decay {
    /// Not at all.
    Constant,
    /// `1 - z`.
    Linear {
        /// Steps to the floor.
        steps: u64,
    },
    /// `(1 + cos(pi z)) / 2`.
    Cosine {
        /// Steps to the floor.
        steps: u64,
    },
    /// REX (Chen et al. 2021, arXiv 2107.04197): `(1 - z) / ((1 - d) + d (1 - z))`. The paper's `d` is
    /// 0.5; common re-implementations use 0.9.
    Rex {
        /// The budget: planned number of updates.
        steps: u64,
        /// How long the rate stays high.
        d: f64,
        /// Begin again after the budget, as one re-implementation does; the floor is then never reached.
        restart: bool,
    },
    /// Linear decay refined by the gradient norms of an earlier run, see [`refine`]; the last factor
    /// stays.
    LinearDecayRefined {
        /// Factor of each step, the largest 1.
        factors: Vec<f64>,
    },
    /// Rewarming for a new stage of training (Gupta et al. 2023, arXiv 2308.04014): a warm-up from 0 and
    /// a cosine to the floor, begun again at every stage. A `warm_up` of the schedule itself delays it.
    Rewarming {
        /// Steps of each stage.
        stages: Vec<u64>,
        /// Steps of the warm-up of each stage; 0 begins at the peak.
        warm_up: u64,
    },
}

impl Schedule {
    /// The same rate at every step.
    pub fn constant(rate: f64) -> Self {
        Schedule { peak: rate, floor: rate, warm_up: 0, decay: Decay::Constant }
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        match self.decay {
            Decay::Constant => "constant",
            Decay::Linear { .. } => "linear",
            Decay::Cosine { .. } => "cosine",
            Decay::Rex { .. } => "rex",
            Decay::LinearDecayRefined { .. } => "linear_decay_refined",
            Decay::Rewarming { .. } => "rewarming",
        }
    }

    /// The learning rate of an optimiser step, counted from 0.
    pub fn rate(&self, step: u64) -> f64 {
        if step < self.warm_up {
            return self.peak * step as f64 / self.warm_up as f64;
        }
        let t = step - self.warm_up;
        let factor = match &self.decay {
            Decay::Constant => 1.0,
            Decay::Linear { steps } => 1.0 - share(t, *steps),
            Decay::Cosine { steps } => cosine(share(t, *steps)),
            Decay::Rex { steps, d, restart } => {
                let rest = 1.0 - if *restart { share(t % (*steps).max(1), *steps) } else { share(t, *steps) };
                if rest > 0.0 { rest / ((1.0 - d) + d * rest) } else { 0.0 }
            }
            Decay::LinearDecayRefined { factors } => {
                factors.get(t as usize).or(factors.last()).copied().unwrap_or(1.0)
            }
            Decay::Rewarming { stages, warm_up } => {
                let (s, stage) = within_stage(t, stages);
                if s < *warm_up {
                    return self.peak * s as f64 / *warm_up as f64;
                }
                cosine(share(s - warm_up, stage.saturating_sub(*warm_up)))
            }
        };
        self.floor + (self.peak - self.floor) * factor
    }
}

/// `t / steps`, at most 1; 1 where there are no steps.
fn share(t: u64, steps: u64) -> f64 {
    if t >= steps { 1.0 } else { t as f64 / steps as f64 }
}

fn cosine(z: f64) -> f64 {
    0.5 * (1.0 + (PI * z).cos())
}

/// The step inside the stage that `t` falls into, and the length of the stage; the last one goes on.
fn within_stage(mut t: u64, stages: &[u64]) -> (u64, u64) {
    for (number, &stage) in stages.iter().enumerate() {
        if t < stage || number + 1 == stages.len() {
            return (t, stage);
        }
        t -= stage;
    }
    (t, 0)
}

/// Which norm of the gradient was logged, and with it the weight of a step in [`refine`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoggedNorm {
    /// Euclidean norms of a run of SGD: weights are `1 / G^2`.
    Two,
    /// Sums of absolute values of a run of an Adam-like optimiser: weights are `1 / G`.
    One,
}

/// The factors of [`Decay::LinearDecayRefined`] from the gradient norms of an earlier run:
/// `w_t * (w_(t+1) + ... + w_T)`, over the largest of them. Norms that never change give linear decay.
///
/// Defazio et al. 2023, arXiv 2310.07831, algorithm 1 (`find_closed_form_schedule`). Norms are first
/// smoothed by a median filter of width `2 * (int(smoothing * n) / 2) + 1`, with 0.1 in the paper and 0
/// for none; at the right edge they are reflected, at the left edge the first norm is repeated.
///
/// # Errors
/// No norm, or norms that are negative or not finite.
pub fn refine(norms: &[f64], logged: LoggedNorm, smoothing: f64) -> Result<Decay> {
    if norms.is_empty() || norms.iter().any(|norm| !(norm.is_finite() && *norm >= 0.0)) {
        return Err(Error::usage(
            "a refined schedule needs the gradient norms of a run, finite and not negative",
            "read `grad_norm` of the run's updates",
        ));
    }
    let smooth = median_filter(norms, (smoothing * norms.len() as f64) as usize / 2);
    // A gradient of 0 would get all of the schedule.
    let least = smooth.iter().fold(0.0, |a: f64, b| a.max(*b)).max(f64::MIN_POSITIVE) * 1e-6;
    let weight = |norm: f64| match logged {
        LoggedNorm::Two => norm.max(least).powi(-2),
        LoggedNorm::One => norm.max(least).recip(),
    };
    let mut tail = 0.0;
    let mut factors: Vec<f64> = smooth
        .iter()
        .rev()
        .map(|norm| {
            let weight = weight(*norm);
            let factor = weight * tail;
            tail += weight;
            factor
        })
        .collect();
    factors.reverse();
    let largest = factors.iter().fold(0.0, |a: f64, b| a.max(*b));
    if largest > 0.0 {
        factors.iter_mut().for_each(|factor| *factor /= largest);
    }
    Ok(Decay::LinearDecayRefined { factors })
}

/// Medians of windows of `2 * half + 1` values.
fn median_filter(values: &[f64], half: usize) -> Vec<f64> {
    let last = values.len() - 1;
    let at = |position: usize| {
        let position = position.saturating_sub(half);
        values[if position <= last { position } else { (2 * last).saturating_sub(position) }]
    };
    (0..values.len())
        .map(|first| {
            let mut window: Vec<f64> = (first..=first + 2 * half).map(at).collect();
            window.sort_unstable_by(f64::total_cmp);
            window[half]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(got: f64, wanted: f64) {
        assert!((got - wanted).abs() < 1e-9, "got {got}, expected {wanted}");
    }

    fn factors(decay: Decay) -> Vec<f64> {
        match decay {
            Decay::LinearDecayRefined { factors } => factors,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn rex_keeps_the_rate_high_and_falls_late() {
        let rate = |d: f64, step: u64| {
            let decay = Decay::Rex { steps: 4, d, restart: false };
            Schedule { peak: 1.0, floor: 0.0, warm_up: 0, decay }.rate(step)
        };
        for (step, half, most) in [
            (0, 1.0, 1.0),
            (1, 0.857142857, 0.967741935),
            (2, 0.666666667, 0.909090909),
            (3, 0.4, 0.769230769),
            (4, 0.0, 0.0),
            (9, 0.0, 0.0),
        ] {
            close(rate(0.5, step), half);
            close(rate(0.9, step), most);
        }
        assert_eq!(rate(1.0, 4), 0.0);
    }

    #[test]
    fn rewarming_begins_every_stage_from_zero() {
        let decay = Decay::Rewarming { stages: vec![100, 50], warm_up: 1 };
        let schedule = Schedule { peak: 3e-4, floor: 3e-5, warm_up: 0, decay };
        let wanted =
            [(0, 0.0), (1, 3e-4), (50, 1.6714190512e-4), (100, 0.0), (101, 3e-4), (150, 3e-5), (900, 3e-5)];
        for (step, wanted) in wanted {
            assert!((schedule.rate(step) - wanted).abs() < 1e-13, "{step}: {}", schedule.rate(step));
        }
        let decay = Decay::Rewarming { stages: vec![100], warm_up: 0 };
        assert_eq!(Schedule { decay, ..schedule }.rate(0), 3e-4);
    }

    #[test]
    fn linear_falls_to_the_floor_and_stays() {
        let schedule = Schedule { peak: 1.0, floor: 0.2, warm_up: 2, decay: Decay::Linear { steps: 4 } };
        let rates: Vec<f64> = (0..8).map(|step| schedule.rate(step)).collect();
        for (got, wanted) in rates.iter().zip([0.0, 0.5, 1.0, 0.8, 0.6, 0.4, 0.2, 0.2]) {
            close(*got, wanted);
        }
        assert_eq!(Schedule::constant(0.5).rate(77), 0.5);
    }

    #[test]
    fn refinement_follows_the_gradient_norms() {
        let norms = [2.0, 1.0, 1.0, 0.5];
        for (logged, wanted) in
            [(LoggedNorm::Two, [0.3, 1.0, 0.8, 0.0]), (LoggedNorm::One, [2.0 / 3.0, 1.0, 2.0 / 3.0, 0.0])]
        {
            let got = factors(refine(&norms, logged, 0.0).unwrap());
            got.iter().zip(wanted).for_each(|(got, wanted)| close(*got, wanted));
        }
        let linear = factors(refine(&[3.0; 4], LoggedNorm::Two, 0.0).unwrap());
        linear.iter().zip([1.0, 2.0 / 3.0, 1.0 / 3.0, 0.0]).for_each(|(got, wanted)| close(*got, wanted));
        assert!(
            factors(refine(&[1.0, 0.0, 1.0], LoggedNorm::Two, 0.0).unwrap()).iter().all(|x| x.is_finite())
        );
        assert!(refine(&[], LoggedNorm::One, 0.1).is_err());
        assert!(refine(&[1.0, f64::NAN], LoggedNorm::One, 0.1).is_err());
    }

    #[test]
    fn medians_repeat_on_the_left_and_reflect_on_the_right() {
        assert_eq!(median_filter(&[5.0, 1.0, 9.0, 2.0], 1), [5.0, 5.0, 2.0, 9.0]);
        assert_eq!(median_filter(&[5.0, 1.0], 0), [5.0, 1.0]);
        assert_eq!(median_filter(&[4.0], 2), [4.0]);
    }

    #[test]
    fn its_json_has_name_and_parameters() {
        let schedule = Schedule {
            peak: 1.0,
            floor: 0.0,
            warm_up: 3,
            decay: Decay::Rex { steps: 9, d: 0.5, restart: false },
        };
        let json = serde_json::to_value(&schedule).unwrap();
        assert_eq!(json["decay"]["name"], schedule.name());
        assert_eq!(serde_json::from_value::<Schedule>(json).unwrap(), schedule);
    }
}

//! GCond: one gradient from the gradients of several objectives that pull against each other.

use std::collections::VecDeque;
use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The hyperparameters of [`Gcond`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GcondOptions {
    /// Angles that change smoothly with the cosine, else the four zones of the older form.
    pub smooth: bool,
    /// Decay of the running mean of the combined gradient.
    pub momentum: f64,
    /// Decay of the running mean of each objective's norm.
    pub norm_ema: f64,
    /// Cosines from which a conflict is critical, main and weak, in rising order.
    pub thresholds: [f64; 3],
    /// Weights of stability and strength in the choice of a winner.
    pub weights: [f64; 2],
    /// An objective that won so many contests in a row loses the next; 0 for no such rule.
    pub window: usize,
    /// Bend of the angle between the main and the critical threshold.
    pub power: f64,
    /// Largest norm of an objective's gradient.
    pub norm_cap: Option<f64>,
    /// Largest number of resolved conflicts a step; twice the number of objectives where absent.
    pub max_iterations: Option<usize>,
    /// Give the sign of the running mean, times a trust ratio for each weight.
    pub lion: bool,
    /// Give the combined gradient itself and not its running mean.
    pub raw: bool,
    /// Keeps divisions defined.
    pub eps: f64,
}

impl Default for GcondOptions {
    fn default() -> Self {
        GcondOptions {
            smooth: true,
            momentum: 0.85,
            norm_ema: 0.95,
            thresholds: [-0.8, -0.5, 0.0],
            weights: [0.8, 0.2],
            window: 3,
            power: 2.0,
            norm_cap: None,
            max_iterations: None,
            lion: false,
            raw: false,
            eps: 1e-8,
        }
    }
}

/// The base rate of the sign update, and the largest trust ratio.
const TRUST: f64 = 1e-4;
const MOST_TRUST: f64 = 100.0;

/// GCond (Gradient Conflict Resolution via Accumulation-based Stabilization for Large-Scale Multi-Task
/// Learning), as `GradientConductor` computes it: while two objectives' gradients conflict, the pair
/// with the smallest cosine is projected, the winner of the pair less than the loser.
///
/// ```text
/// g_w <- g_w - sin(alpha) (d / |g_l|^2) g_l
/// g_l <- g_l - sin(min(alpha, pi/2)) (d / |g_w|^2) g_w        d = g_w . g_l
/// ```
///
/// The winner is who agrees more with its own gradient of the step before, and is larger than usual. As
/// in the reference that former gradient is the projected one. The state goes on from step to step and
/// can be saved as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gcond {
    options: GcondOptions,
    names: Vec<String>,
    norm_emas: Vec<f64>,
    winners: VecDeque<usize>,
    previous: Vec<Vec<f64>>,
    momentum: Vec<f64>,
    steps: i32,
}

/// What [`Gcond::combine`] gives.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Combined {
    /// The gradient to use.
    pub gradient: Vec<f64>,
    /// Sum of the projected gradients.
    pub safe_gradient: Vec<f64>,
    /// The smallest cosine before projection; 1 where there is no conflict.
    pub min_cosine: f64,
    /// Conflicts resolved.
    pub iterations: usize,
}

impl Gcond {
    /// No step made yet, for objectives of these names.
    ///
    /// # Errors
    /// No objective; thresholds that are not in rising order between -1 and 1.
    pub fn new(options: GcondOptions, names: &[&str]) -> Result<Self> {
        let [critical, main, weak] = options.thresholds;
        if names.is_empty() || !(-1.0 <= critical && critical <= main && main <= weak && weak <= 1.0) {
            return Err(Error::usage(
                format!("gcond: {} objectives, thresholds {:?}", names.len(), options.thresholds),
                "name at least one objective, and give thresholds in rising order between -1 and 1",
            ));
        }
        Ok(Gcond {
            options,
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            norm_emas: vec![1.0; names.len()],
            winners: VecDeque::new(),
            previous: Vec::new(),
            momentum: Vec::new(),
            steps: 0,
        })
    }

    /// Running mean of each objective's norm, by name.
    pub fn norm_emas(&self) -> impl Iterator<Item = (&str, f64)> {
        self.names.iter().map(String::as_str).zip(self.norm_emas.iter().copied())
    }

    /// The winners of the last contests, the oldest first.
    pub fn winners(&self) -> impl Iterator<Item = &str> {
        self.winners.iter().map(|winner| self.names[*winner].as_str())
    }

    /// Combines the gradients of the objectives, each the whole model's, weight after weight. `weights`
    /// are the weights in the same order.
    ///
    /// # Errors
    /// Not one gradient per objective, or lengths that do not fit.
    pub fn combine(&mut self, mut gradients: Vec<Vec<f64>>, weights: &[&[f32]]) -> Result<Combined> {
        let size: usize = weights.iter().map(|weight| weight.len()).sum();
        let resized = self.steps > 0 && self.momentum.len() != size;
        if gradients.len() != self.names.len() || gradients.iter().any(|g| g.len() != size) || resized {
            return Err(Error::usage(
                format!(
                    "gcond: {} gradients for {} objectives, or of other lengths",
                    gradients.len(),
                    self.names.len()
                ),
                "give one gradient per objective, each as long as all weights together",
            ));
        }
        if self.steps == 0 {
            self.previous = vec![vec![0.0; size]; gradients.len()];
            self.momentum = vec![0.0; size];
        }
        let (min_cosine, iterations) =
            if gradients.len() > 1 { self.project(&mut gradients) } else { (1.0, 0) };
        let mut safe_gradient = vec![0.0; size];
        for gradient in &gradients {
            safe_gradient.iter_mut().zip(gradient).for_each(|(sum, g)| *sum += g);
        }
        self.steps = self.steps.saturating_add(1);
        let beta = self.options.momentum;
        for (m, g) in self.momentum.iter_mut().zip(&safe_gradient) {
            *m = beta * *m + (1.0 - beta) * g;
        }
        self.previous = gradients;
        let gradient = if self.options.raw { safe_gradient.clone() } else { self.direction(weights) };
        Ok(Combined { gradient, safe_gradient, min_cosine, iterations })
    }

    /// The running mean, corrected for its beginning, or its sign times the trust ratio of each weight.
    fn direction(&self, weights: &[&[f32]]) -> Vec<f64> {
        let correction = 1.0 - self.options.momentum.powi(self.steps);
        let mut direction: Vec<f64> = self.momentum.iter().map(|m| m / correction).collect();
        if self.options.lion {
            let mut rest = direction.as_mut_slice();
            for weight in weights {
                let (own, others) = rest.split_at_mut(weight.len());
                rest = others;
                let size = norm_sq(own).sqrt();
                let weight: Vec<f64> = weight.iter().map(|&w| f64::from(w)).collect();
                let weight = norm_sq(&weight).sqrt();
                let small = size < self.options.eps || weight < self.options.eps;
                let trust = if small { 1.0 } else { (weight / size).min(MOST_TRUST) };
                own.iter_mut().for_each(|m| *m = if *m == 0.0 { 0.0 } else { m.signum() * trust * TRUST });
            }
        }
        direction
    }

    /// Resolves conflicts, the worst first. Gives the smallest cosine and how many there were.
    fn project(&mut self, gradients: &mut [Vec<f64>]) -> (f64, usize) {
        let eps = self.options.eps;
        for (ema, gradient) in self.norm_emas.iter_mut().zip(gradients.iter()) {
            let decay = self.options.norm_ema;
            *ema = (decay * *ema + (1.0 - decay) * norm_sq(gradient).sqrt()).max(eps);
        }
        if let Some(cap) = self.options.norm_cap {
            for gradient in gradients.iter_mut() {
                let norm = norm_sq(gradient).sqrt();
                if norm > cap {
                    gradient.iter_mut().for_each(|g| *g *= cap / (norm + eps));
                }
            }
        }
        let (mut min_cosine, mut iterations) = (1.0, 0);
        while iterations < self.options.max_iterations.unwrap_or(2 * gradients.len()) {
            let Some((i, j, cosine)) = self.worst(gradients) else { break };
            if iterations == 0 {
                min_cosine = cosine;
            }
            iterations += 1;
            if self.options.smooth {
                self.resolve_smoothly(gradients, i, j, cosine);
            } else {
                self.resolve_by_zone(gradients, i, j, cosine);
            }
        }
        (min_cosine, iterations)
    }

    /// The pair with the smallest cosine below the weak threshold.
    fn worst(&self, gradients: &[Vec<f64>]) -> Option<(usize, usize, f64)> {
        let eps = self.options.eps;
        let norms: Vec<f64> = gradients.iter().map(|gradient| norm_sq(gradient)).collect();
        let mut worst = None;
        let mut least = self.options.thresholds[2];
        for i in 0..gradients.len() {
            for j in i + 1..gradients.len() {
                if norms[i] < eps || norms[j] < eps {
                    continue;
                }
                let cosine = dot(&gradients[i], &gradients[j]) / ((norms[i] * norms[j]).sqrt() + eps);
                if cosine < least {
                    least = cosine;
                    worst = Some((i, j, cosine));
                }
            }
        }
        worst
    }

    fn resolve_smoothly(&mut self, gradients: &mut [Vec<f64>], i: usize, j: usize, cosine: f64) {
        let (winner, loser) = self.contest(gradients, i, j);
        self.record(winner);
        let alpha = self.angle(cosine);
        let (shares, eps) = ([alpha.sin(), alpha.min(PI / 2.0).sin()], self.options.eps);
        let product = dot(&gradients[winner], &gradients[loser]);
        let of_winner = shares[0] * product / (norm_sq(&gradients[loser]) + eps);
        let of_loser = shares[1] * product / (norm_sq(&gradients[winner]) + eps);
        for k in 0..gradients[winner].len() {
            let (w, l) = (gradients[winner][k], gradients[loser][k]);
            gradients[winner][k] = w - of_winner * l;
            gradients[loser][k] = l - of_loser * w;
        }
    }

    /// The older form: below critical the loser is dropped, below main it is projected, below weak both
    /// are.
    fn resolve_by_zone(&mut self, gradients: &mut [Vec<f64>], i: usize, j: usize, cosine: f64) {
        let [critical, main, _] = self.options.thresholds;
        let eps = self.options.eps;
        if cosine >= main {
            let norms = [norm_sq(&gradients[i]), norm_sq(&gradients[j])];
            // As in the reference: the product with the eps of the cosine in it.
            let product = cosine * (norms[0] * norms[1]).sqrt();
            let (of_i, of_j) = (product / (norms[1] + eps), product / (norms[0] + eps));
            for k in 0..gradients[i].len() {
                let (a, b) = (gradients[i][k], gradients[j][k]);
                gradients[i][k] = a - of_i * b;
                gradients[j][k] = b - of_j * a;
            }
            return;
        }
        let (winner, loser) = self.contest(gradients, i, j);
        self.record(winner);
        let share = dot(&gradients[i], &gradients[j]) / (norm_sq(&gradients[winner]) + eps);
        for k in 0..gradients[loser].len() {
            gradients[loser][k] =
                if cosine < critical { 0.0 } else { gradients[loser][k] - share * gradients[winner][k] };
        }
    }

    /// The angle that a conflict counts as: 0 at the weak threshold, a right angle at the main one, and
    /// a straight one from the critical one on.
    fn angle(&self, cosine: f64) -> f64 {
        let [critical, main, weak] = self.options.thresholds;
        let (c, eps) = (cosine.clamp(-1.0, 1.0), self.options.eps);
        if c >= main {
            PI / 2.0 * (1.0 - ((c - main) / (weak - main + eps)).clamp(0.0, 1.0))
        } else if c > critical {
            PI / 2.0 * (1.0 + ((c - main) / (critical - main + eps)).powf(self.options.power))
        } else {
            PI
        }
    }

    /// Winner and loser of a pair.
    fn contest(&self, gradients: &[Vec<f64>], i: usize, j: usize) -> (usize, usize) {
        let dominant = |objective: usize| {
            self.options.window > 0
                && self.winners.len() == self.options.window
                && self.winners.iter().all(|winner| *winner == objective)
        };
        if dominant(i) {
            return (j, i);
        }
        if dominant(j) {
            return (i, j);
        }
        let eps = self.options.eps;
        let norm = |objective: usize| norm_sq(&gradients[objective]).sqrt();
        let stability = |objective: usize| {
            let previous = &self.previous[objective];
            dot(&gradients[objective], previous) / (norm(objective) * norm_sq(previous).sqrt() + eps)
        };
        let relative = |objective: usize| norm(objective) / (self.norm_emas[objective] + eps);
        let total = relative(i) + relative(j) + eps;
        let [of_stability, of_strength] = self.options.weights;
        let score = |objective: usize| {
            of_stability * stability(objective).max(0.0) + of_strength * relative(objective) / total
        };
        if score(j) > score(i) { (j, i) } else { (i, j) }
    }

    fn record(&mut self, winner: usize) {
        self.winners.push_back(winner);
        while self.winners.len() > self.options.window {
            self.winners.pop_front();
        }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn norm_sq(a: &[f64]) -> f64 {
    dot(a, a)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn combined(loser: [f64; 2]) -> Combined {
        let mut gcond = Gcond::new(GcondOptions::default(), &["w", "l"]).unwrap();
        // The step before: the winner's gradient was what it is, the loser's its opposite.
        gcond.combine(vec![vec![1.0, 0.0], vec![0.0, -1.0]], &[&[0.0, 0.0]]).unwrap();
        gcond.combine(vec![vec![1.0, 0.0], loser.to_vec()], &[&[0.0, 0.0]]).unwrap()
    }

    #[test]
    fn the_worse_the_conflict_the_more_the_winner_keeps() {
        for (loser, wanted, cosine) in [
            ([-0.3, 1.0], [0.870688048, 1.216060821], -0.287347883),
            ([-1.0, 1.2], [0.614035010, 1.663157988], -0.640184396),
            ([-2.0, 0.5], [1.0, 0.5], -0.970142495),
        ] {
            let got = combined(loser);
            assert!((got.min_cosine - cosine).abs() < 1e-7, "{got:?}");
            for (got, wanted) in got.safe_gradient.iter().zip(wanted) {
                assert!((got - wanted).abs() < 1e-6, "{got} {wanted}");
            }
        }
    }

    #[test]
    fn resumes_from_json_to_the_same_bits() {
        let step = |gcond: &mut Gcond, i: u32| {
            let x = f64::from(i).sin();
            gcond.combine(vec![vec![1.0, x], vec![-0.7, 0.3 * x]], &[&[0.5], &[0.25]]).unwrap()
        };
        let mut whole = Gcond::new(GcondOptions::default(), &["a", "b"]).unwrap();
        (0..3).for_each(|i| drop(step(&mut whole, i)));
        let mut resumed: Gcond = serde_json::from_str(&serde_json::to_string(&whole).unwrap()).unwrap();
        for i in 3..6 {
            assert_eq!(step(&mut whole, i), step(&mut resumed, i));
        }
        assert_eq!(whole, resumed);
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let mut gcond = Gcond::new(GcondOptions::default(), &["a", "b"]).unwrap();
        assert!(gcond.combine(vec![vec![1.0]], &[&[0.0]]).is_err());
        assert!(gcond.combine(vec![vec![1.0], vec![1.0, 2.0]], &[&[0.0]]).is_err());
        assert!(Gcond::new(GcondOptions::default(), &[]).is_err());
        let options = GcondOptions { thresholds: [0.0, -0.5, -0.8], ..GcondOptions::default() };
        assert!(Gcond::new(options, &["a"]).is_err());
    }
}

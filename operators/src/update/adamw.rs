//! AdamW: adaptive moments with decoupled weight decay.

use std::collections::BTreeMap;

#[cfg(feature = "model")]
use rayon::prelude::*;

use super::{Optimizer, StateTensor, Weight};
use crate::{Error, Result};

/// Elements that one thread takes at a time. The update is element-wise: no cut changes a result.
const CHUNK: usize = 16 * 1024;

/// Steps are counted up to here, which `f32` holds exactly; the bias corrections have long been 1.
const MOST_STEPS: u64 = 1 << 24;

const STEPS: &str = "steps";
const FIRST: &str = ".first_moment";
const SECOND: &str = ".second_moment";

/// The hyperparameters of [`AdamW`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamWOptions {
    /// Decay of the mean of gradients, in `[0, 1)`.
    pub beta1: f64,
    /// Decay of the mean of squared gradients, in `[0, 1)`.
    pub beta2: f64,
    /// Added to the root of the bias-corrected second moment.
    pub eps: f64,
    /// Each step takes `learning_rate * weight_decay` of the weight away.
    pub weight_decay: f64,
    /// Decay weights of one dimension too: norms and biases.
    pub decay_vectors: bool,
}

impl Default for AdamWOptions {
    fn default() -> Self {
        AdamWOptions { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0, decay_vectors: false }
    }
}

/// AdamW (Loshchilov & Hutter 2019, arXiv 1711.05101, algorithm 2), as `torch.optim.AdamW` computes it:
///
/// ```text
/// w <- w - lr * weight_decay * w
/// m <- beta1 m + (1 - beta1) g
/// v <- beta2 v + (1 - beta2) g^2
/// w <- w - lr * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)
/// ```
///
/// ```
/// use meed_operators::update::{AdamW, AdamWOptions, Optimizer, Weight};
/// let mut optimizer = AdamW::new(AdamWOptions::default());
/// let mut values = [1.0, -2.0];
/// let weight = Weight { name: "w", shape: &[2], values: &mut values, gradient: &[0.5, -0.25] };
/// optimizer.step(&mut [weight], 0.1)?;
/// assert!((values[0] - 0.9).abs() < 1e-6 && (values[1] + 1.9).abs() < 1e-6);
/// # Ok::<(), meed_operators::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct AdamW {
    options: AdamWOptions,
    steps: u64,
    moments: BTreeMap<String, Moments>,
}

#[derive(Debug, Clone, Default)]
struct Moments {
    shape: Vec<usize>,
    first: Vec<f32>,
    second: Vec<f32>,
}

/// What is the same for all elements of a weight in one step.
#[derive(Clone, Copy)]
struct Coefficients {
    beta1: f32,
    rest1: f32,
    beta2: f32,
    rest2: f32,
    /// `1 - lr * weight_decay`.
    keep: f32,
    /// `lr / (1 - beta1^t)`.
    rate: f32,
    /// `1 / sqrt(1 - beta2^t)`.
    correction: f32,
    eps: f32,
}

impl AdamW {
    /// An optimiser that has made no step.
    pub fn new(options: AdamWOptions) -> Self {
        AdamW { options, steps: 0, moments: BTreeMap::new() }
    }

    /// Number of steps made.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Gives every weight its moments, and refuses weights that do not fit them.
    fn prepare(&mut self, weights: &[Weight<'_>]) -> Result<()> {
        if self.moments.is_empty() {
            for weight in weights {
                let zeros = vec![0.0; weight.values.len()];
                let moments = Moments { shape: weight.shape.to_vec(), first: zeros.clone(), second: zeros };
                self.moments.insert(weight.name.to_owned(), moments);
            }
        }
        let misfit = weights.iter().find(|weight| {
            let moments = self.moments.get(weight.name);
            weight.gradient.len() != weight.values.len()
                || moments
                    .is_none_or(|own| own.shape != weight.shape || own.first.len() != weight.values.len())
        });
        match misfit {
            Some(weight) => Err(Error::usage(
                format!(
                    "weight `{}` of shape {:?} does not fit the optimiser's state",
                    weight.name, weight.shape
                ),
                "a step needs the weights of the first one, each with a gradient of its own length",
            )),
            None if weights.len() != self.moments.len() => Err(Error::usage(
                format!("{} weights, but the optimiser's state is of {}", weights.len(), self.moments.len()),
                "a step needs the weights of the first one",
            )),
            None => Ok(()),
        }
    }

    fn coefficients(&self, learning_rate: f64, dimensions: usize) -> Coefficients {
        let AdamWOptions { beta1, beta2, eps, weight_decay, decay_vectors } = self.options;
        let decay = if dimensions > 1 || decay_vectors { weight_decay } else { 0.0 };
        let steps = self.steps as f64;
        Coefficients {
            beta1: beta1 as f32,
            rest1: (1.0 - beta1) as f32,
            beta2: beta2 as f32,
            rest2: (1.0 - beta2) as f32,
            keep: (1.0 - learning_rate * decay) as f32,
            rate: (learning_rate / (1.0 - beta1.powf(steps))) as f32,
            correction: (1.0 / (1.0 - beta2.powf(steps)).sqrt()) as f32,
            eps: eps as f32,
        }
    }
}

/// The update of a piece of a weight, in one pass over the four arrays.
fn update(c: Coefficients, values: &mut [f32], gradient: &[f32], first: &mut [f32], second: &mut [f32]) {
    for (((w, &g), m), v) in values.iter_mut().zip(gradient).zip(first).zip(second) {
        *m = c.beta1 * *m + c.rest1 * g;
        *v = c.beta2 * *v + c.rest2 * g * g;
        *w = c.keep * *w - c.rate * *m / (v.sqrt() * c.correction + c.eps);
    }
}

impl Optimizer for AdamW {
    fn step(&mut self, weights: &mut [Weight<'_>], learning_rate: f64) -> Result<()> {
        self.prepare(weights)?;
        self.steps = (self.steps + 1).min(MOST_STEPS);
        for weight in weights {
            let c = self.coefficients(learning_rate, weight.shape.len());
            let Some(moments) = self.moments.get_mut(weight.name) else { continue };
            #[cfg(feature = "model")]
            weight
                .values
                .par_chunks_mut(CHUNK)
                .zip(weight.gradient.par_chunks(CHUNK))
                .zip(moments.first.par_chunks_mut(CHUNK))
                .zip(moments.second.par_chunks_mut(CHUNK))
                .for_each(|(((w, g), m), v)| update(c, w, g, m, v));
            #[cfg(not(feature = "model"))]
            weight
                .values
                .chunks_mut(CHUNK)
                .zip(weight.gradient.chunks(CHUNK))
                .zip(moments.first.chunks_mut(CHUNK))
                .zip(moments.second.chunks_mut(CHUNK))
                .for_each(|(((w, g), m), v)| update(c, w, g, m, v));
        }
        Ok(())
    }

    fn state(&self) -> BTreeMap<String, StateTensor> {
        let steps = StateTensor { shape: vec![1], values: vec![self.steps as f32] };
        let moments = self.moments.iter().flat_map(|(name, moments)| {
            let tensor =
                |values: &Vec<f32>| StateTensor { shape: moments.shape.clone(), values: values.clone() };
            [
                (format!("{name}{FIRST}"), tensor(&moments.first)),
                (format!("{name}{SECOND}"), tensor(&moments.second)),
            ]
        });
        moments.chain([(STEPS.to_owned(), steps)]).collect()
    }

    fn restore(&mut self, mut state: BTreeMap<String, StateTensor>) -> Result<()> {
        let foreign = |name: &str| {
            Error::usage(
                format!("`{name}` is not what AdamW saves: its state is of another optimiser or broken"),
                "resume with the optimiser and the model that wrote the checkpoint",
            )
        };
        let steps = state.remove(STEPS).ok_or_else(|| foreign(STEPS))?;
        let [steps] = steps.values[..] else { return Err(foreign(STEPS)) };
        if steps.fract() != 0.0 || !(0.0..=MOST_STEPS as f32).contains(&steps) {
            return Err(foreign(STEPS));
        }
        let mut moments: BTreeMap<String, Moments> = BTreeMap::new();
        for (name, tensor) in &state {
            let (weight, other, is_first) = match (name.strip_suffix(FIRST), name.strip_suffix(SECOND)) {
                (Some(weight), _) => (weight, format!("{weight}{SECOND}"), true),
                (_, Some(weight)) => (weight, format!("{weight}{FIRST}"), false),
                _ => return Err(foreign(name)),
            };
            let fits = state.get(&other).is_some_and(|other| other.shape == tensor.shape);
            if !fits || tensor.values.len() != tensor.shape.iter().product::<usize>() {
                return Err(foreign(name));
            }
            let own = moments.entry(weight.to_owned()).or_default();
            own.shape.clone_from(&tensor.shape);
            *if is_first { &mut own.first } else { &mut own.second } = tensor.values.clone();
        }
        self.steps = steps as u64;
        self.moments = moments;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(optimizer: &mut AdamW, values: &mut [f32], shape: &[usize], gradient: &[f32], rate: f64) {
        let weight = Weight { name: "w", shape, values, gradient };
        optimizer.step(&mut [weight], rate).unwrap();
    }

    /// Two steps by hand: g = 0.4 then -0.2 on w = 1, lr 0.1, decay 0.5, betas 0.9 and 0.99, eps 0.01.
    #[test]
    fn equals_hand_computed_numbers() {
        let options =
            AdamWOptions { beta1: 0.9, beta2: 0.99, eps: 0.01, weight_decay: 0.5, decay_vectors: true };
        let mut optimizer = AdamW::new(options);
        let mut values = [1.0];
        step(&mut optimizer, &mut values, &[1], &[0.4], 0.1);
        // m/(1-b1) = 0.4, sqrt(v/(1-b2)) = 0.4: 0.95 - 0.1 * 0.4 / 0.41
        assert!((f64::from(values[0]) - (0.95 - 0.04 / 0.41)).abs() < 1e-7, "{values:?}");
        step(&mut optimizer, &mut values, &[1], &[-0.2], 0.1);
        // m = 0.036 - 0.02 = 0.016, over 0.19; v = 0.001584 + 0.0004 = 0.001984, over 0.0199
        let first: f64 = 0.95 - 0.04 / 0.41;
        let wanted = first * 0.95 - 0.1 * (0.016 / 0.19) / ((0.001_984_f64 / 0.0199).sqrt() + 0.01);
        assert!((f64::from(values[0]) - wanted).abs() < 1e-7, "{values:?} {wanted}");
    }

    #[test]
    fn decays_matrices_but_not_vectors() {
        let options = AdamWOptions { weight_decay: 0.1, ..AdamWOptions::default() };
        let (mut vector, mut matrix) = ([2.0, 2.0], [2.0, 2.0]);
        let weights = &mut [
            Weight { name: "norm", shape: &[2], values: &mut vector, gradient: &[0.0; 2] },
            Weight { name: "projection", shape: &[1, 2], values: &mut matrix, gradient: &[0.0; 2] },
        ];
        AdamW::new(options).step(weights, 0.5).unwrap();
        assert_eq!(vector, [2.0, 2.0]);
        assert_eq!(matrix, [1.9, 1.9]);
    }

    /// More elements than a chunk, so that several threads take part.
    #[test]
    fn resumes_to_the_same_bits() {
        let size = 3 * CHUNK + 17;
        let gradient = |step: usize| {
            (0..size).map(|i| ((i * 7 + step * 13) % 101) as f32 / 50.0 - 1.0).collect::<Vec<_>>()
        };
        let options = AdamWOptions { weight_decay: 0.01, ..AdamWOptions::default() };
        let (mut whole, mut cut) = (AdamW::new(options), AdamW::new(options));
        let (mut a, mut b) = (vec![0.5; size], vec![0.5; size]);
        for i in 0..3 {
            step(&mut whole, &mut a, &[size, 1], &gradient(i), 1e-2);
            step(&mut cut, &mut b, &[size, 1], &gradient(i), 1e-2);
        }
        let mut resumed = AdamW::new(options);
        resumed.restore(cut.state()).unwrap();
        assert_eq!(resumed.state(), whole.state());
        for i in 3..6 {
            step(&mut whole, &mut a, &[size, 1], &gradient(i), 1e-2);
            step(&mut resumed, &mut b, &[size, 1], &gradient(i), 1e-2);
        }
        assert!(a.iter().zip(&b).all(|(a, b)| a.to_bits() == b.to_bits()));
        assert_eq!(resumed.state(), whole.state());
    }

    #[test]
    fn refuses_other_weights_and_changes_nothing() {
        let mut optimizer = AdamW::new(AdamWOptions::default());
        let mut values = [1.0, 2.0];
        step(&mut optimizer, &mut values, &[2], &[1.0, 1.0], 0.1);
        let before = (values, optimizer.state());
        for (name, shape, gradient) in
            [("other", &[2][..], &[1.0, 1.0][..]), ("w", &[2, 1], &[1.0, 1.0]), ("w", &[2], &[1.0])]
        {
            let weight = Weight { name, shape, values: &mut values, gradient };
            let error = optimizer.step(&mut [weight], 0.1).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
        assert!(optimizer.step(&mut [], 0.1).is_err());
        assert_eq!(before, (values, optimizer.state()));
    }

    #[test]
    fn refuses_a_foreign_state_by_the_name_of_the_tensor() {
        let mut optimizer = AdamW::new(AdamWOptions::default());
        step(&mut optimizer, &mut [1.0], &[1], &[1.0], 0.1);
        let good = optimizer.state();
        let mut lacks = good.clone();
        lacks.remove("w.second_moment");
        let mut short = good.clone();
        short.insert("w.first_moment".into(), StateTensor { shape: vec![1], values: vec![] });
        let mut named = good.clone();
        named.insert("w.velocity".into(), StateTensor { shape: vec![1], values: vec![0.0] });
        let mut half = good.clone();
        half.insert("steps".into(), StateTensor { shape: vec![1], values: vec![0.5] });
        for (state, name) in
            [(lacks, "w.first_moment"), (short, "w.first_moment"), (named, "w.velocity"), (half, "steps")]
        {
            let error = AdamW::new(AdamWOptions::default()).restore(state).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}

//! GaLore: Adam on gradients that are projected to low rank.

mod bases;

pub use bases::Projection;

use std::collections::BTreeMap;

use bases::{LEFT, RIGHT, bases, by_rows, from_tensor, matrix, projected_shape};

use nalgebra::DMatrix;

use super::{Optimizer, StateTensor, Weight};
use crate::{Error, Result};

const STEPS: &str = "steps";
const FIRST: &str = "first_moment";
const SECOND: &str = "second_moment";

/// Steps are counted up to here, which `f32` holds exactly.
const MOST_STEPS: u64 = 1 << 24;

/// The hyperparameters of [`Galore`].
#[derive(Debug, Clone, PartialEq)]
pub struct GaloreOptions {
    /// Rank of the projected gradient; 0 projects nothing.
    pub rank: usize,
    /// The basis is renewed every so many steps.
    pub update_gap: u64,
    /// Factor of the update of projected weights.
    pub scale: f64,
    /// The side.
    pub projection: Projection,
    /// Decays of the moments, each in `[0, 1)`.
    pub betas: [f64; 2],
    /// Added to the root of the second moment, before bias correction.
    pub eps: f64,
    /// Each step takes `learning_rate * weight_decay` of the updated weight away.
    pub weight_decay: f64,
    /// Decay weights of one dimension too, as the reference does.
    pub decay_vectors: bool,
    /// Divide the moments by `1 - beta^t`.
    pub bias_correction: bool,
    /// Matrices whose names contain one of these are not projected: embeddings and heads.
    pub plain: Vec<String>,
}

impl Default for GaloreOptions {
    fn default() -> Self {
        GaloreOptions {
            rank: 128,
            update_gap: 200,
            scale: 0.25,
            projection: Projection::Standard,
            betas: [0.9, 0.999],
            eps: 1e-6,
            weight_decay: 0.0,
            decay_vectors: false,
            bias_correction: true,
            plain: ["embed", "lm_head"].map(str::to_owned).to_vec(),
        }
    }
}

/// GaLore (Zhao et al. 2024, arXiv 2403.03507), as `galore_torch` computes it. With `P` the first `r`
/// singular vectors of the gradient of every `update_gap`-th step and `R` the projected gradient:
///
/// ```text
/// M <- beta1 M + (1 - beta1) R         V <- beta2 V + (1 - beta2) R^2
/// W <- W - lr * sqrt(1 - beta2^t) / (1 - beta1^t) * scale * back(M / (sqrt(V) + eps))
/// W <- W - lr * weight_decay * W
/// ```
///
/// Moments stay as they are where the basis changes, so that the signs of its vectors matter, which the
/// reference leaves to its linear algebra: here each points the way of the one it replaces. A rank of at least both sides is a change of basis,
/// not plain Adam. Weights that are no matrices, or excluded by name, take the same update unprojected.
/// Where the reference fails (`reverse_std` with a rank of the number of rows), the formula holds.
#[derive(Debug, Clone)]
pub struct Galore {
    options: GaloreOptions,
    steps: u64,
    weights: BTreeMap<String, BTreeMap<&'static str, StateTensor>>,
}

impl Galore {
    /// An optimiser that has made no step.
    pub fn new(options: GaloreOptions) -> Self {
        Galore { options, steps: 0, weights: BTreeMap::new() }
    }

    fn projects(&self, weight: &Weight<'_>) -> bool {
        let plain = self.options.plain.iter().any(|part| weight.name.contains(part.as_str()));
        self.options.rank > 0 && weight.shape.len() == 2 && !plain && !weight.values.is_empty()
    }

    /// The state of a weight for this step, with new bases where it is time.
    fn prepared(&self, weight: &Weight<'_>) -> Result<BTreeMap<&'static str, StateTensor>> {
        let misfit = || {
            Error::usage(
                format!(
                    "weight `{}` of shape {:?} does not fit the optimiser's state",
                    weight.name, weight.shape
                ),
                "a step needs the weights of the first one, each with a gradient of its own length",
            )
        };
        let size: usize = weight.shape.iter().product();
        if weight.values.len() != size || weight.gradient.len() != size {
            return Err(misfit());
        }
        let mut state = match self.weights.get(weight.name) {
            Some(state) => state.clone(),
            None if self.weights.is_empty() => BTreeMap::new(),
            None => return Err(misfit()),
        };
        if self.projects(weight)
            && (self.steps.is_multiple_of(self.options.update_gap.max(1)) || state.is_empty())
        {
            let gradient = matrix(weight.gradient, weight.shape[0], weight.shape[1]);
            state.extend(bases(weight.name, &gradient, self.options.projection, self.options.rank, &state)?);
        }
        let shape = projected_shape(weight.shape, &state).ok_or_else(misfit)?;
        for moment in [FIRST, SECOND] {
            let zeros = StateTensor { shape: shape.clone(), values: vec![0.0; shape.iter().product()] };
            if state.entry(moment).or_insert(zeros).shape != shape {
                return Err(misfit());
            }
        }
        Ok(state)
    }

    /// The change of a weight by its gradient, before `step_size`; its moments are brought up to date.
    fn change(&self, weight: &Weight<'_>, state: &mut BTreeMap<&'static str, StateTensor>) -> Vec<f64> {
        let [beta1, beta2] = self.options.betas;
        let left = state.get(LEFT).map(from_tensor);
        let right = state.get(RIGHT).map(from_tensor);
        let projects = left.is_some() || right.is_some();
        let gradient: Vec<f64> = if projects {
            let mut gradient = matrix(weight.gradient, weight.shape[0], weight.shape[1]);
            if let Some(left) = &left {
                gradient = left.tr_mul(&gradient);
            }
            if let Some(right) = &right {
                gradient *= right;
            }
            by_rows(&gradient)
        } else {
            weight.gradient.iter().map(|&g| f64::from(g)).collect()
        };
        if let Some(first) = state.get_mut(FIRST) {
            for (m, g) in first.values.iter_mut().zip(&gradient) {
                *m = (beta1 * f64::from(*m) + (1.0 - beta1) * g) as f32;
            }
        }
        if let Some(second) = state.get_mut(SECOND) {
            for (v, g) in second.values.iter_mut().zip(&gradient) {
                *v = (beta2 * f64::from(*v) + (1.0 - beta2) * g * g) as f32;
            }
        }
        let (Some(first), Some(second)) = (state.get(FIRST), state.get(SECOND)) else { return Vec::new() };
        let ratios: Vec<f64> = first
            .values
            .iter()
            .zip(&second.values)
            .map(|(&m, &v)| f64::from(m) / (f64::from(v).sqrt() + self.options.eps))
            .collect();
        if !projects {
            return ratios;
        }
        let mut back = DMatrix::from_row_slice(first.shape[0], first.shape[1], &ratios);
        if let Some(left) = &left {
            back = left * back;
        }
        if let Some(right) = &right {
            back *= right.transpose();
        }
        by_rows(&back).into_iter().map(|change| change * self.options.scale).collect()
    }
}

impl Optimizer for Galore {
    fn step(&mut self, weights: &mut [Weight<'_>], learning_rate: f64) -> Result<()> {
        if !self.weights.is_empty() && self.weights.len() != weights.len() {
            return Err(Error::usage(
                format!("{} weights, but the optimiser's state is of {}", weights.len(), self.weights.len()),
                "a step needs the weights of the first one",
            ));
        }
        let mut states = Vec::with_capacity(weights.len());
        for weight in weights.iter() {
            states.push(self.prepared(weight)?);
        }
        let [beta1, beta2] = self.options.betas;
        let t = (self.steps + 1) as f64;
        let correction = if self.options.bias_correction {
            (1.0 - beta2.powf(t)).sqrt() / (1.0 - beta1.powf(t))
        } else {
            1.0
        };
        for (weight, mut state) in weights.iter_mut().zip(states) {
            let change = self.change(weight, &mut state);
            let decays = weight.shape.len() > 1 || self.options.decay_vectors;
            let keep = if decays { 1.0 - learning_rate * self.options.weight_decay } else { 1.0 };
            for (w, change) in weight.values.iter_mut().zip(change) {
                *w = ((f64::from(*w) - learning_rate * correction * change) * keep) as f32;
            }
            self.weights.insert(weight.name.to_owned(), state);
        }
        self.steps = (self.steps + 1).min(MOST_STEPS);
        Ok(())
    }

    fn state(&self) -> BTreeMap<String, StateTensor> {
        let steps = StateTensor { shape: vec![1], values: vec![self.steps as f32] };
        let weights = self.weights.iter().flat_map(|(weight, tensors)| {
            tensors.iter().map(move |(part, tensor)| (format!("{weight}.{part}"), tensor.clone()))
        });
        weights.chain([(STEPS.to_owned(), steps)]).collect()
    }

    fn restore(&mut self, mut state: BTreeMap<String, StateTensor>) -> Result<()> {
        let foreign = |name: &str| {
            Error::usage(
                format!("`{name}` is not what GaLore saves: its state is of another optimiser or broken"),
                "resume with the optimiser and the model that wrote the checkpoint",
            )
        };
        let steps = state.remove(STEPS).ok_or_else(|| foreign(STEPS))?;
        let [steps] = steps.values[..] else { return Err(foreign(STEPS)) };
        if steps.fract() != 0.0 || !(0.0..=MOST_STEPS as f32).contains(&steps) {
            return Err(foreign(STEPS));
        }
        let mut weights: BTreeMap<String, BTreeMap<&'static str, StateTensor>> = BTreeMap::new();
        for (name, tensor) in state {
            let (weight, part) = name.rsplit_once('.').ok_or_else(|| foreign(&name))?;
            let part = [FIRST, SECOND, LEFT, RIGHT].into_iter().find(|known| *known == part);
            let part = part.ok_or_else(|| foreign(&name))?;
            if tensor.values.len() != tensor.shape.iter().product::<usize>() {
                return Err(foreign(&name));
            }
            weights.entry(weight.to_owned()).or_default().insert(part, tensor);
        }
        let broken = |parts: &BTreeMap<&str, StateTensor>| {
            [FIRST, SECOND].into_iter().find(|moment| !parts.contains_key(moment))
        };
        if let Some((weight, part)) =
            weights.iter().find_map(|(weight, parts)| Some((weight, broken(parts)?)))
        {
            return Err(foreign(&format!("{weight}.{part}")));
        }
        self.steps = steps as u64;
        self.weights = weights;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRADIENT: [f32; 6] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];

    fn options(rank: usize) -> GaloreOptions {
        GaloreOptions { rank, update_gap: 2, ..GaloreOptions::default() }
    }

    fn step(optimizer: &mut Galore, values: &mut [f32], gradient: &[f32]) {
        let weight = Weight { name: "w", shape: &[3, 2], values, gradient };
        optimizer.step(&mut [weight], 0.01).unwrap();
    }

    #[test]
    fn equals_the_paper_s_small_example() {
        let mut optimizer = Galore::new(options(1));
        let mut values = [0.0; 6];
        step(&mut optimizer, &mut values, &GRADIENT);
        let wanted = [-0.001549051, -0.001962208, -0.001549064, -0.001962224, -0.001549067, -0.001962228];
        for (got, wanted) in values.iter().zip(wanted) {
            assert!((got - wanted).abs() < 1e-9, "{values:?}");
        }
    }

    #[test]
    fn resumes_to_the_same_bits() {
        let turned = |step: usize| -> Vec<f32> { (0..6).map(|i| GRADIENT[(i + step) % 6]).collect() };
        let (mut whole, mut cut) = (Galore::new(options(1)), Galore::new(options(1)));
        let (mut a, mut b) = ([0.5; 6], [0.5; 6]);
        for i in 0..3 {
            step(&mut whole, &mut a, &turned(i));
            step(&mut cut, &mut b, &turned(i));
        }
        let mut resumed = Galore::new(options(1));
        resumed.restore(cut.state()).unwrap();
        for i in 3..6 {
            step(&mut whole, &mut a, &turned(i));
            step(&mut resumed, &mut b, &turned(i));
        }
        assert_eq!((a, whole.state()), (b, resumed.state()));
    }

    #[test]
    fn refuses_what_does_not_fit_and_changes_nothing() {
        let mut optimizer = Galore::new(options(1));
        let mut values = [0.5; 6];
        step(&mut optimizer, &mut values, &GRADIENT);
        let before = (values, optimizer.state());
        let broken = [f32::NAN; 6];
        for (name, shape, gradient, rate) in
            [("other", &[3, 2], &GRADIENT, 0.1), ("w", &[2, 3], &GRADIENT, 0.1)]
        {
            let weight = Weight { name, shape, values: &mut values, gradient };
            assert!(optimizer.step(&mut [weight], rate).is_err());
        }
        assert_eq!(before, (values, optimizer.state()));
        let weight = Weight { name: "w", shape: &[3, 2], values: &mut values, gradient: &broken };
        assert!(Galore::new(options(1)).step(&mut [weight], 0.1).is_err());
        let mut state = before.1;
        state.remove("w.second_moment");
        assert!(optimizer.restore(state).unwrap_err().to_string().contains("w.second_moment"));
    }

    #[test]
    fn vectors_and_named_matrices_are_not_projected() {
        let mut optimizer = Galore::new(options(1));
        let (mut a, mut b) = ([0.0; 2], [0.0; 6]);
        let weights = &mut [
            Weight { name: "norm", shape: &[2], values: &mut a, gradient: &[1.0, 2.0] },
            Weight { name: "embed_tokens", shape: &[3, 2], values: &mut b, gradient: &GRADIENT },
        ];
        optimizer.step(weights, 0.01).unwrap();
        let names: Vec<String> =
            optimizer.state().into_keys().filter(|name| name.contains("basis")).collect();
        assert!(names.is_empty(), "{names:?}");
        assert!((a[0] + 0.01).abs() < 1e-6 && (b[5] + 0.01).abs() < 1e-6, "{a:?} {b:?}");
    }
}

//! update: optimisers, schedules and minibatches, on plain slices of weights and gradients.

mod adamw;
mod clip;
mod galore;
mod gcond;
mod gradient_depth;
mod implicit;
mod minibatches;
mod schedule;
mod shrink_and_perturb;
mod synthetic_gradient;
mod warm_start;

pub use adamw::{AdamW, AdamWOptions};
pub use clip::{clip_global_norm, global_norm};
pub use galore::{Galore, GaloreOptions, Projection};
pub use gcond::{Combined, Gcond, GcondOptions};
pub use gradient_depth::{Cycles, GradientDepth};
pub use implicit::{implicit_gradient, neumann_inverse};
pub use minibatches::{Cut, minibatches};
pub use schedule::{Decay, LoggedNorm, Schedule, refine};
pub use shrink_and_perturb::{fresh_weights, shrink_and_perturb};
pub use synthetic_gradient::SyntheticGradient;
pub use warm_start::WarmStart;

use std::collections::BTreeMap;

use crate::Result;

/// One weight of a model with its gradient.
pub struct Weight<'a> {
    /// Its name in the model.
    pub name: &'a str,
    /// Its shape; two numbers for a matrix.
    pub shape: &'a [usize],
    /// Its values, row by row.
    pub values: &'a mut [f32],
    /// Derivative of the loss, row by row.
    pub gradient: &'a [f32],
}

/// A tensor of an optimiser's state, as checkpoints hold it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StateTensor {
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its values.
    pub values: Vec<f32>,
}

/// Changes weights by their gradients.
pub trait Optimizer: Send {
    /// One step. Weights come in the same order every time.
    fn step(&mut self, weights: &mut [Weight<'_>], learning_rate: f64) -> Result<()>;

    /// Its state by name, enough to go on exactly.
    fn state(&self) -> BTreeMap<String, StateTensor>;

    /// Takes up a state that [`Optimizer::state`] gave.
    ///
    /// # Errors
    /// A state of another optimiser or model, by the name of the tensor.
    fn restore(&mut self, state: BTreeMap<String, StateTensor>) -> Result<()>;
}

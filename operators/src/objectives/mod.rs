//! Objectives: what update minimises, as functions of log-probabilities and advantages whose gradients
//! are written out.
//!
//! Every objective of a policy is one [`PolicyObjective`]: a [`Ratio`] (of tokens, sequences or segments), a
//! [`Surrogate`] (what is lost at a token, given its log-ratio, log-probability and advantage), corrections
//! and masks ([`Weighting`]), an [`Aggregate`], and terms that are added: a [`Divergence`], entropy, values.
//! Each part knows its own derivative; an aggregate is linear, so that its coefficients are the
//! derivative of the objective with respect to each token's loss.

pub mod aggregate;
pub mod clip;
mod columns;
pub mod combine;
pub mod controller;
pub mod correction;
pub mod covariance;
pub mod denoising;
pub mod divergence;
pub mod entropy;
pub mod filters;
pub mod policy;
pub mod preference;
pub mod proximal;
pub mod ratio;
pub mod real;
pub mod regression;
pub mod rows;
mod steps;
pub mod surrogate;
pub mod tapered;
#[cfg(test)]
mod tests;
pub mod trust_region;
pub mod value;

pub use aggregate::{Aggregate, Mode, Rows};
pub use clip::Clip;
pub use combine::{Selected, Selection, Sum};
pub use controller::{Adaptation, KlController};
pub use correction::{Correction, Level, Outside, Statistic};
pub use covariance::{ClipCov, KlCov};
pub use divergence::{Divergence, Estimator, Importance};
pub use entropy::{EntropyBonus, EntropyController};
pub use filters::{
    EntropyMask, OffPolicyMask, RowWeights, SecondMomentFilter, TokenFactor, TotalVariationMask,
};
pub use policy::{Advantages, PolicyObjective, Term, Weighting, Weights};
pub use ratio::{Anchor, Gradient, LogRatios, Pool, Ratio, Span};
pub use real::Real;
pub use surrogate::{Surrogate, Token, TokenLosses};
pub use tapered::{Topr, Vespo};
pub use trust_region::{MiniRl, Movement, Region, TrustRegion};
pub use value::{ErrorLoss, ValueLoss};

use std::collections::BTreeMap;

use crate::Result;
use crate::credit::ExactSum;

/// A sum over the tokens of a batch: in order inside a rollout and exact over rollouts, so that it has the
/// same bits in any order of them.
pub fn over_rollouts(columns: &Columns, mut value: impl FnMut(usize) -> f64) -> f64 {
    exact(columns.ranges().map(|range| range.map(&mut value).sum()))
}

/// A sum, exactly rounded: the same bits in any order.
pub fn exact(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut sum = ExactSum::default();
    values.into_iter().for_each(|value| sum.add(value));
    sum.value()
}

/// What an objective reads: flat columns with one value per token of the batch, in ragged layout, all in
/// `f64`. Rollout `i` owns the tokens `offsets[i]..offsets[i + 1]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Columns {
    /// One more than there are rollouts, from 0 to the number of tokens.
    pub offsets: Vec<usize>,
    /// Group of each rollout, numbered from 0.
    pub groups: Vec<usize>,
    /// Where steps (turns, actions) begin and end, in tokens: one more than there are steps, from 0 to the
    /// number of tokens, every offset of a rollout among them. Absent where the data has no steps.
    pub steps: Option<Vec<usize>>,
    /// Per token: whether it is trained on.
    pub mask: Vec<bool>,
    /// Log-probabilities under the current policy: what gradients are with respect to.
    pub logprobs: Vec<f64>,
    /// Under the policy at the start of the update; the current ones where absent.
    pub old_logprobs: Option<Vec<f64>>,
    /// As sampled.
    pub rollout_logprobs: Option<Vec<f64>>,
    /// Under the reference policy.
    pub ref_logprobs: Option<Vec<f64>>,
    /// Advantages; may be absent for objectives that need none.
    pub advantages: Vec<f64>,
    /// Weights in the loss and its denominator; the mask where absent.
    pub weights: Option<Vec<f64>>,
    /// Clip offsets from 1 of each token, where the recipe gives them.
    pub clip_low: Option<Vec<f64>>,
    /// Clip offsets from 1 of each token, where the recipe gives them.
    pub clip_high: Option<Vec<f64>>,
    /// Entropies of the current policy.
    pub entropies: Option<Vec<f64>>,
    /// Values of the critic now, at the start of the update, and what they should be.
    pub values: Option<Vec<f64>>,
    /// Values of the critic at the start of the update.
    pub old_values: Option<Vec<f64>>,
    /// Returns that the critic should predict.
    pub returns: Option<Vec<f64>>,
    /// Outcome reward of each rollout.
    pub rewards: Option<Vec<f64>>,
    /// Preferences between rollouts, for objectives that read pairs.
    pub pairs: Vec<preference::Pair>,
    /// Any further signal that an objective reads by name; its level is the objective's business.
    pub signals: BTreeMap<String, Vec<f64>>,
}

/// The value of an objective and its gradients.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Loss {
    /// What is minimised.
    pub value: f64,
    /// Parts and metrics by name: `policy_loss`, `kl`, `entropy`, `clip_fraction`, ...
    pub parts: BTreeMap<String, f64>,
    /// Derivative with respect to each token's log-probability; 0 where the token has no part in it.
    pub logprobs: Vec<f64>,
    /// Derivative with respect to each token's entropy, where the objective has an entropy term.
    pub entropies: Option<Vec<f64>>,
    /// Derivative with respect to each token's value, where the objective has a value loss.
    pub values: Option<Vec<f64>>,
    /// Derivative of the loss of whatever is trained beside the policy (a critic, a baseline head, a reward
    /// model) with respect to its signal, by the signal's name and as long as it. Those losses are parts;
    /// an objective says whether `value` has them too.
    pub signals: BTreeMap<String, Vec<f64>>,
    /// Further lists by name, to look at: `pair_losses`, one per pair, ...; what they are is the
    /// objective's business.
    pub outputs: BTreeMap<String, Vec<f64>>,
}

impl Loss {
    /// No loss: a gradient of 0 for every token.
    pub fn zero(columns: &Columns) -> Self {
        Loss { logprobs: vec![0.0; columns.tokens()], ..Loss::default() }
    }

    /// Names a part or metric.
    pub fn part(&mut self, name: &str, value: f64) {
        self.parts.insert(name.to_owned(), value);
    }
}

/// What update minimises.
pub trait Objective: Send + Sync {
    /// Its name.
    fn name(&self) -> &str;

    /// Value and gradients for a batch. Denominators are those of the whole batch.
    ///
    /// # Errors
    /// A column that the objective needs and the batch lacks, by name.
    fn loss(&self, columns: &Columns) -> Result<Loss>;
}

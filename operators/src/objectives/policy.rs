//! A policy objective: ratio, surrogate, weights, aggregate and added terms, composed.

use super::aggregate::Aggregate;
use super::divergence::Divergence;
use super::ratio::Ratio;
use super::surrogate::Surrogate;
use super::{Columns, Loss, Objective, over_rollouts};
use crate::Result;

/// Advantages as a surrogate sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Advantages {
    /// Each token's own.
    #[default]
    Token,
    /// The mean over the rollout's trainable tokens.
    RowMean,
    /// None are needed; 0 everywhere.
    Absent,
}

impl Advantages {
    /// One per token.
    ///
    /// # Errors
    /// A batch without advantages where they are needed.
    pub fn of(self, columns: &Columns) -> Result<Vec<f64>> {
        if self == Advantages::Absent {
            return Ok(vec![0.0; columns.tokens()]);
        }
        if columns.advantages.len() != columns.tokens() {
            columns.needed(&None, "token_advantages")?;
        }
        let mut advantages = columns.advantages.clone();
        if self == Advantages::RowMean {
            for range in columns.ranges() {
                let on = range.clone().filter(|&t| columns.mask[t]);
                let (sum, count) = on.fold((0.0, 0.0), |(sum, n), t| (sum + columns.advantages[t], n + 1.0));
                advantages[range].fill(if count == 0.0 { 0.0 } else { sum / count });
            }
        }
        Ok(advantages)
    }
}

/// Weights of token losses, all held fixed.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    /// Multiplies the loss of each token.
    pub factors: Vec<f64>,
    /// Whether each token's loss is kept; one that is not has weight 0, whatever its factor.
    pub keep: Vec<bool>,
    /// Weight of each token in sums and denominators; 0 takes it out of both.
    pub counted: Vec<f64>,
}

impl Weights {
    /// Weight 1 for every token, counted as the batch says.
    pub fn of(columns: &Columns) -> Self {
        let tokens = columns.tokens();
        Weights { factors: vec![1.0; tokens], keep: vec![true; tokens], counted: columns.counted() }
    }

    /// What multiplies a token's loss.
    pub fn factor(&self, t: usize) -> f64 {
        if self.keep[t] { self.factors[t] } else { 0.0 }
    }
}

/// A rule that weighs or drops tokens: an off-policy correction, an entropy mask, a filter of
/// sequences.
pub trait Weighting: Send + Sync {
    /// Multiplies into the weights.
    ///
    /// # Errors
    /// A column that the rule needs and the batch lacks.
    fn weigh(&self, columns: &Columns, advantages: &[f64], weights: &mut Weights) -> Result<()>;
}

/// A term that is added to the policy loss.
pub trait Term: Send + Sync {
    /// Adds its value, parts and gradients; `aggregate` is that of the policy loss.
    ///
    /// # Errors
    /// A column that the term needs and the batch lacks.
    fn add(&self, columns: &Columns, aggregate: &Aggregate, loss: &mut Loss) -> Result<()>;
}

impl Term for Divergence {
    fn add(&self, columns: &Columns, aggregate: &Aggregate, loss: &mut Loss) -> Result<()> {
        Divergence::add(self, columns, aggregate, loss)
    }
}

/// A policy objective, composed.
///
/// ```
/// use meed_operators::objectives::{Clip, Columns, Objective, PolicyObjective};
/// let columns = Columns {
///     offsets: vec![0, 4],
///     mask: vec![true; 4],
///     logprobs: vec![-0.7, -1.4, -0.9, -0.5],
///     old_logprobs: Some(vec![-1.0, -1.0, -1.0, -2.0]),
///     advantages: vec![1.0, 1.0, -1.0, -1.0],
///     ..Columns::default()
/// };
/// let clip = Clip { dual: Some(3.0), ..Clip::offsets(0.2, 0.2) };
/// let loss = PolicyObjective::new("ppo_clip", clip).loss(&columns)?;
/// let tokens = [-1.2, -0.67032005, 1.10517092, 3.0];
/// assert!((loss.value - tokens.iter().sum::<f64>() / 4.0).abs() < 1e-8);
/// // Clipped tokens have no gradient; the others have -A r / 4.
/// assert_eq!(loss.logprobs[0], 0.0);
/// assert!((loss.logprobs[2] - 1.10517092 / 4.0).abs() < 1e-8);
/// # Ok::<(), meed_operators::Error>(())
/// ```
pub struct PolicyObjective {
    /// Its name.
    pub name: String,
    /// Importance ratios.
    pub ratio: Ratio,
    /// What is lost at a token.
    pub surrogate: Box<dyn Surrogate>,
    /// Advantages as the surrogate sees them.
    pub advantages: Advantages,
    /// Corrections and masks, in order.
    pub weightings: Vec<Box<dyn Weighting>>,
    /// How token losses become one number.
    pub aggregate: Aggregate,
    /// Divergence, entropy, values: terms that are added.
    pub terms: Vec<Box<dyn Term>>,
}

impl PolicyObjective {
    /// A surrogate over token ratios to the old policy, with the token mean and nothing else.
    pub fn new(name: impl Into<String>, surrogate: impl Surrogate + 'static) -> Self {
        Self::boxed(name, Box::new(surrogate))
    }

    /// The same for a surrogate that is boxed already.
    pub fn boxed(name: impl Into<String>, surrogate: Box<dyn Surrogate>) -> Self {
        PolicyObjective {
            name: name.into(),
            ratio: Ratio::default(),
            surrogate,
            advantages: Advantages::Token,
            weightings: Vec::new(),
            aggregate: Aggregate::default(),
            terms: Vec::new(),
        }
    }

    /// Weights of a batch: the product of all corrections and masks.
    ///
    /// # Errors
    /// A column that a rule needs and the batch lacks.
    pub fn weights(&self, columns: &Columns, advantages: &[f64]) -> Result<Weights> {
        let mut weights = Weights::of(columns);
        for weighting in &self.weightings {
            weighting.weigh(columns, advantages, &mut weights)?;
        }
        Ok(weights)
    }
}

impl Objective for PolicyObjective {
    fn name(&self) -> &str {
        &self.name
    }

    fn loss(&self, columns: &Columns) -> Result<Loss> {
        columns.check()?;
        let advantages = self.advantages.of(columns)?;
        let ratios = self.ratio.log_ratios(columns)?;
        let losses = self.surrogate.losses(columns, &ratios.values, &advantages)?;
        let weights = self.weights(columns, &advantages)?;
        let coefficients = self.aggregate.coefficients(columns, &weights.counted)?;
        let mut loss = Loss { logprobs: vec![0.0; columns.tokens()], ..Loss::default() };
        let mut by_log_ratio = vec![0.0; columns.tokens()];
        let share = |t: usize| coefficients[t] * weights.factor(t);
        for t in (0..columns.tokens()).filter(|&t| columns.mask[t] && share(t) != 0.0) {
            loss.logprobs[t] = share(t) * losses.tokens[t].by_logprob;
            by_log_ratio[t] = share(t) * losses.tokens[t].by_log_ratio;
        }
        ratios.backward(&by_log_ratio, &mut loss.logprobs);
        let sum = |value: &dyn Fn(usize) -> f64| {
            over_rollouts(columns, |t| if columns.mask[t] { value(t) } else { 0.0 })
        };
        let lost = |t: usize| if share(t) == 0.0 { 0.0 } else { share(t) * losses.tokens[t].loss };
        loss.value = sum(&lost);
        let fractions = self.aggregate.mean().coefficients(columns, &columns.counted())?;
        let clipped = sum(&|t| fractions[t] * f64::from(u8::from(losses.tokens[t].clipped)));
        loss.parts.insert("policy_loss".into(), loss.value);
        loss.parts.insert("clip_fraction".into(), clipped);
        loss.parts.insert("ppo_kl".into(), sum(&|t| -fractions[t] * ratios.values[t]));
        for term in &self.terms {
            term.add(columns, &self.aggregate, &mut loss)?;
        }
        Ok(loss)
    }
}

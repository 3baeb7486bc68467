//! A judge that is itself a model, learns beside the policy, and scores tokens before credit is assigned.

use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use meed_operators::Result;
use meed_operators::credit::Unit;
use meed_operators::objectives::Objective;
use meed_operators::policy::{Learner, TokenScores};

use super::model_signals::with_token_signal;
use super::training_rows::{TrainingRows, with_scores};

/// A learned judge: an implicit reward model, whose log-probabilities of a rollout's tokens are a signal
/// that a recipe reads, and which is trained on the outcomes of the same rollouts.
///
/// PRIME (Cui et al. 2025, arXiv 2502.01456) is one with the signal `token_prm_logprobs` and the
/// objective `prime`.
pub struct LearnedJudge {
    /// The model. It starts, as a rule, as a copy of the policy.
    pub learner: Box<dyn Learner>,
    /// The signal that its log-probabilities become: a name that begins with `token_`.
    pub signal: String,
    /// What it minimises, as a function of its own log-probabilities and the outcome rewards.
    pub objective: Arc<dyn Objective>,
    /// Its learning rate.
    pub learning_rate: f64,
}

impl LearnedJudge {
    /// The rollouts with its signal added.
    pub(super) fn judge(&self, unit: &Unit) -> Result<RecordBatch> {
        let tokens = TrainingRows::all(unit)?;
        let scores = self.learner.score(&tokens, 1.0)?;
        with_token_signal(unit.batch().clone(), &self.signal, &scores.logprobs, &tokens)
    }

    /// One optimiser step on the outcomes of the rollouts that have a reward. Returns the loss; `None`
    /// where no rollout has one.
    pub(super) fn learn(&mut self, unit: &Unit) -> Result<Option<f64>> {
        let rewarded: Vec<usize> = match unit.column("reward") {
            Some(rewards) => (0..unit.rows()).filter(|&row| rewards.is_valid(row)).collect(),
            None => Vec::new(),
        };
        if rewarded.is_empty() {
            return Ok(None);
        }
        let training = TrainingRows::of(unit, &rewarded, None)?;
        let (batch, columns) = training.select(&(0..training.len()).collect::<Vec<_>>());
        let objective = self.objective.clone();
        let loss = |scores: &TokenScores| objective.loss(&with_scores(columns.clone(), scores));
        let done = self.learner.step(&batch, 1.0, &loss, self.learning_rate)?;
        self.learner.publish();
        Ok(Some(done.loss.value))
    }
}

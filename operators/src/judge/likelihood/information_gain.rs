//! `information_gains`: what each turn adds to the likelihood of the gold answer.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::contexts::{Bridge, Turns};
use super::gold::{READS, bridge_parameters, gold_at};
use crate::judge::{Failure, Judge, JudgeContext, Judged};

/// In which form likelihoods are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gain {
    /// `lp_t - lp_{t-1}` of mean log-probabilities.
    LogProbDiff,
    /// `exp(lp_t) - exp(lp_{t-1})`.
    ProbDiff,
}

/// The gain of turn `t` over the turn before it, or over the prompt: `step_information_gains`, on the
/// last policy step of the turn; null elsewhere and at the last turn, which gives the answer.
///
/// IGPO (arXiv 2510.14967, step 2) and A2TGPO (arXiv 2605.06200) read it. A gain of exactly 0 stays 0;
/// what recipes make of it is theirs.
#[derive(Debug, Clone)]
pub struct InformationGains {
    /// What asks for the answer.
    pub bridge: Bridge,
    /// The form of the gain.
    pub gain: Gain,
}

impl Gain {
    /// Gains between neighbouring mean log-probabilities.
    ///
    /// ```
    /// use meed_operators::judge::likelihood::Gain;
    /// let gains = Gain::ProbDiff.of(&[-2.0, -1.0, -0.4]);
    /// assert!((gains[0] - 0.232544).abs() < 1e-6 && (gains[1] - 0.302441).abs() < 1e-6);
    /// let gains = Gain::LogProbDiff.of(&[-2.0, -1.6, -1.8]);
    /// assert!((gains[0] - 0.4).abs() < 1e-12 && (gains[1] + 0.2).abs() < 1e-12);
    /// ```
    pub fn of(self, logprobs: &[f64]) -> Vec<f64> {
        let gain = |pair: &[f64]| match self {
            Gain::LogProbDiff => pair[1] - pair[0],
            Gain::ProbDiff => pair[1].exp() - pair[0].exp(),
        };
        logprobs.windows(2).map(gain).collect()
    }
}

#[async_trait]
impl Judge for InformationGains {
    fn name(&self) -> &str {
        "information_gains"
    }

    fn version(&self) -> &str {
        "1"
    }

    fn parameters(&self) -> Value {
        let gain = match self.gain {
            Gain::LogProbDiff => "log_prob_diff",
            Gain::ProbDiff => "prob_diff",
        };
        json!({ "ask": bridge_parameters(&self.bridge), "gain": gain })
    }

    fn level(&self) -> &str {
        "step"
    }

    fn reads(&self) -> Vec<String> {
        READS.iter().chain(&["reference"]).map(|name| (*name).to_owned()).collect()
    }

    fn blocks(&self) -> bool {
        true
    }

    fn asks_policy(&self) -> bool {
        true
    }

    async fn judge(&self, rollout: Judged<'_>, context: &JudgeContext) -> Result<Vec<Option<f64>>, Failure> {
        let turns = Turns::of(rollout)?;
        let scored = turns.ends.len().saturating_sub(1);
        let cuts = [&[0], &turns.ends[..scored]].concat();
        let gains = self.gain.of(&gold_at(rollout, context, &self.bridge, &cuts)?);
        Ok(turns.on_steps(&gains.into_iter().map(Some).collect::<Vec<_>>()))
    }
}

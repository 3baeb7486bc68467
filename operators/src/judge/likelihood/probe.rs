//! `probe`: how right and how sure the policy is after each step, asked by short completions.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::contexts::{Bridge, Contexts, mean};
use super::gold::{READS, bridge_parameters};
use crate::credit::STEP;
use crate::judge::{Failure, Judge, JudgeContext, Judged};
use crate::random::RandomKey;

/// What a probe measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeOf {
    /// `acc = mean_n exp(sum_m lp_m) / M`: `step_accuracy`.
    Accuracy,
    /// `conf = mean_n exp(-sum_m H_m) / M`: `step_confidence`.
    Confidence,
}

/// After every policy step, `samples` completions of the text so far and the bridge are drawn; at
/// position `m` of each, `lp_m` is the log-probability of token `m` of the gold answer, and `H_m` the
/// entropy there, for the `M` tokens of the answer. Null where the environment speaks.
///
/// SPAE (arXiv 2601.03823) with the means of its code. The code reads `lp_m` and `H_m` from the 20 most
/// probable tokens, with -10 for a gold token that is not among them; here both are of the whole
/// vocabulary, and `lp_m` is at least `missing`. A completion that ends before the answer would, counts
/// `missing` and an entropy of 0 from there on.
#[derive(Debug, Clone)]
pub struct Probe {
    /// What is measured.
    pub of: ProbeOf,
    /// What asks for the answer.
    pub bridge: Bridge,
    /// Completions per step; 5 in the paper.
    pub samples: usize,
    /// Temperature of the completions; 0.6 in the paper.
    pub temperature: f64,
    /// The least log-probability; -10 in the code.
    pub missing: f64,
}

impl ProbeOf {
    /// What one probe gives, from the values (log-probabilities or entropies) at its positions of the answer,
    /// which has so many tokens; 0 for a probe without positions.
    pub fn one(self, values: impl ExactSizeIterator<Item = f64>, answer: usize) -> f64 {
        if values.len() == 0 {
            return 0.0;
        }
        let sum: f64 = values.sum();
        let sum = if self == ProbeOf::Accuracy { sum } else { -sum };
        sum.exp() / answer as f64
    }

    /// The mean over probes, each of the values (log-probabilities or entropies) of the answer's tokens.
    pub fn mean(self, probes: &[Vec<f64>]) -> f64 {
        let one = |values: &Vec<f64>| self.one(values.iter().copied(), values.len());
        mean(&probes.iter().map(one).collect::<Vec<_>>())
    }
}

#[async_trait]
impl Judge for Probe {
    fn name(&self) -> &str {
        match self.of {
            ProbeOf::Accuracy => "accuracy",
            ProbeOf::Confidence => "confidence",
        }
    }

    fn version(&self) -> &str {
        "1"
    }

    fn parameters(&self) -> Value {
        json!({
            "ask": bridge_parameters(&self.bridge),
            "samples": self.samples,
            "temperature": self.temperature,
            "missing": self.missing,
        })
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
        let failed = |error: crate::Error| Failure::Missing(error.to_string());
        let answer = self.bridge.answer(rollout.text("reference")?);
        let contexts = Contexts::of(rollout, context, &self.bridge)?;
        let unit = rollout.unit()?;
        let steps = unit.extent(&STEP).map_err(failed)?;
        let spans = steps.spans.as_ref();
        let spans = spans.ok_or_else(|| Failure::Missing("step_ends is absent".to_owned()))?;
        let policy = unit.policy_steps().map_err(failed)?;
        // Both judges of a pair draw the same completions.
        let key = RandomKey::new(0, 0, unit.group_id(0), unit.rollout_id(0)).within("probe");
        let cuts: Vec<usize> =
            (0..spans.len()).filter(|&step| policy[step]).map(|step| spans[step].1).collect();
        let probes = contexts.probes(&cuts, answer, self.samples, self.temperature, key)?;
        let mut values = probes.iter().map(|probes| {
            let of_probe = |probe: &(Vec<f64>, Vec<f64>)| match self.of {
                ProbeOf::Accuracy => probe.0.iter().map(|logprob| logprob.max(self.missing)).collect(),
                ProbeOf::Confidence => probe.1.clone(),
            };
            self.of.mean(&probes.iter().map(of_probe).collect::<Vec<Vec<f64>>>())
        });
        Ok(policy.iter().map(|policy| if *policy { values.next() } else { None }).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_those_of_the_reference_code() {
        let probes = [vec![-0.5, -0.25], vec![-1.0, -2.0]];
        let accuracy = ((-0.75f64).exp() / 2.0 + (-3.0f64).exp() / 2.0) / 2.0;
        assert!((ProbeOf::Accuracy.mean(&probes) - accuracy).abs() < 1e-15);
        let confidence = (0.75f64.exp() / 2.0 + 3.0f64.exp() / 2.0) / 2.0;
        assert!((ProbeOf::Confidence.mean(&probes) - confidence).abs() < 1e-15);
    }
}

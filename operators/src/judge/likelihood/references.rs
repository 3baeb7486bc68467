//! `reference_logprobs`: how likely each of several reference answers is along a rollout.

use async_trait::async_trait;
use serde_json::Value;

use super::contexts::{Bridge, Contexts, Turns, mean};
use super::gold::{READS, bridge_parameters};
use crate::judge::{Failure, Judge, JudgeContext, Judged};

/// Column of the references: the distinct answers of the rollout's cluster, at most as many as its
/// operator keeps.
const REFERENCES: &str = "reference_texts";

/// Mean log-probability of each of `reference_texts` after every turn, the last one included:
/// `step_reference_logprobs`, a list per step. On steps that end no turn, every element is null.
///
/// SIOP (arXiv 2605.04984, step 3) reads it with [`PromptReferenceLogprobs`].
#[derive(Debug, Clone)]
pub struct ReferenceLogprobs {
    /// What asks for the answer.
    pub bridge: Bridge,
}

/// The same from the prompt alone: `prompt_reference_logprobs`, one per reference.
#[derive(Debug, Clone)]
pub struct PromptReferenceLogprobs {
    /// What asks for the answer.
    pub bridge: Bridge,
}

fn means(
    rollout: Judged<'_>,
    context: &JudgeContext,
    bridge: &Bridge,
    cuts: &[usize],
) -> Result<Vec<Vec<Option<f64>>>, Failure> {
    let references: Option<Vec<String>> = rollout.texts(REFERENCES)?.into_iter().collect();
    let references =
        references.ok_or_else(|| Failure::Missing(format!("{REFERENCES} has a null among its texts")))?;
    let answers: Vec<&str> = references.iter().map(|reference| reference.trim()).collect();
    let logprobs = Contexts::of(rollout, context, bridge)?.logprobs(cuts, &answers)?;
    Ok(logprobs.iter().map(|of_cut| of_cut.iter().map(|answer| Some(mean(answer))).collect()).collect())
}

#[async_trait]
impl Judge for ReferenceLogprobs {
    fn name(&self) -> &str {
        "logprobs"
    }

    fn version(&self) -> &str {
        "1"
    }

    fn parameters(&self) -> Value {
        bridge_parameters(&self.bridge)
    }

    fn level(&self) -> &str {
        "step.reference"
    }

    fn reads(&self) -> Vec<String> {
        READS.iter().chain(&[REFERENCES]).map(|name| (*name).to_owned()).collect()
    }

    fn blocks(&self) -> bool {
        true
    }

    fn asks_policy(&self) -> bool {
        true
    }

    async fn judge(&self, rollout: Judged<'_>, context: &JudgeContext) -> Result<Vec<Option<f64>>, Failure> {
        let turns = Turns::of(rollout)?;
        let per_turn = means(rollout, context, &self.bridge, &turns.ends)?;
        let references = rollout.list(REFERENCES)?.len();
        let mut steps = vec![vec![None; references]; turns.count];
        for (step, values) in turns.steps.iter().zip(per_turn) {
            if let Some(step) = step {
                steps[*step] = values;
            }
        }
        Ok(steps.concat())
    }
}

#[async_trait]
impl Judge for PromptReferenceLogprobs {
    fn name(&self) -> &str {
        "reference_logprobs"
    }

    fn version(&self) -> &str {
        "1"
    }

    fn parameters(&self) -> Value {
        bridge_parameters(&self.bridge)
    }

    fn level(&self) -> &str {
        "prompt"
    }

    fn reads(&self) -> Vec<String> {
        ["prompt", "prompt_ids", "token_ids", REFERENCES].map(str::to_owned).to_vec()
    }

    fn blocks(&self) -> bool {
        true
    }

    fn asks_policy(&self) -> bool {
        true
    }

    async fn judge(&self, rollout: Judged<'_>, context: &JudgeContext) -> Result<Vec<Option<f64>>, Failure> {
        Ok(means(rollout, context, &self.bridge, &[0])?.concat())
    }
}

//! `gold_logprobs`: how likely the gold answer is before the first and after every turn.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::contexts::{Bridge, Contexts, Turns, mean};
use crate::judge::{Failure, Judge, JudgeContext, Judged};

/// Columns that place answers in a rollout.
pub(super) const READS: [&str; 7] =
    ["prompt", "prompt_ids", "token_ids", "token_mask", "step_ends", "step_kinds", "step_turns"];

/// Mean log-probability of the tokens of `reference` (its first alternative) under the policy, after
/// the rollout up to the end of each turn and the bridge: `step_gold_logprobs`, on the last policy
/// step of the turn, null elsewhere.
///
/// The last turn gives the answer itself and has no value, unless `last_turn` says so. IGPO (arXiv
/// 2510.14967, step 1) reads it with [`PromptGoldLogprob`].
#[derive(Debug, Clone)]
pub struct GoldLogprobs {
    /// What asks for the answer.
    pub bridge: Bridge,
    /// Score the last turn, too.
    pub last_turn: bool,
}

/// The same from the prompt alone: `prompt_gold_logprob`.
#[derive(Debug, Clone)]
pub struct PromptGoldLogprob {
    /// What asks for the answer.
    pub bridge: Bridge,
}

/// Mean log-probabilities of the gold answer at cuts of a rollout.
pub(super) fn gold_at(
    rollout: Judged<'_>,
    context: &JudgeContext,
    bridge: &Bridge,
    cuts: &[usize],
) -> Result<Vec<f64>, Failure> {
    let answer = bridge.answer(rollout.text("reference")?);
    let logprobs = Contexts::of(rollout, context, bridge)?.logprobs(cuts, &[answer])?;
    Ok(logprobs.iter().map(|of_cut| of_cut.first().map_or(f64::NAN, |answer| mean(answer))).collect())
}

pub(super) fn bridge_parameters(bridge: &Bridge) -> Value {
    json!({ "bridge": bridge.text, "separator": bridge.separator })
}

#[async_trait]
impl Judge for GoldLogprobs {
    fn name(&self) -> &str {
        "gold_logprobs"
    }

    fn version(&self) -> &str {
        "1"
    }

    fn parameters(&self) -> Value {
        json!({ "ask": bridge_parameters(&self.bridge), "last_turn": self.last_turn })
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
        let scored = turns.ends.len().saturating_sub(usize::from(!self.last_turn));
        let values = gold_at(rollout, context, &self.bridge, &turns.ends[..scored])?;
        Ok(turns.on_steps(&values.into_iter().map(Some).collect::<Vec<_>>()))
    }
}

#[async_trait]
impl Judge for PromptGoldLogprob {
    fn name(&self) -> &str {
        "prompt_gold_logprob"
    }

    fn version(&self) -> &str {
        "1"
    }

    fn parameters(&self) -> Value {
        bridge_parameters(&self.bridge)
    }

    fn level(&self) -> &str {
        "rollout"
    }

    fn reads(&self) -> Vec<String> {
        ["prompt", "prompt_ids", "token_ids", "reference"].map(str::to_owned).to_vec()
    }

    fn blocks(&self) -> bool {
        true
    }

    fn asks_policy(&self) -> bool {
        true
    }

    async fn judge(&self, rollout: Judged<'_>, context: &JudgeContext) -> Result<Vec<Option<f64>>, Failure> {
        let values = gold_at(rollout, context, &self.bridge, &[0])?;
        Ok(values.into_iter().map(Some).collect())
    }
}

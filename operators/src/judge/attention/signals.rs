//! Attention metrics as judges at token level.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{
    Attention, AttentionRows, Triangle, flow, future_influence, heads_by_span, look_back, mean_heads,
    middle_layers, question_and_answer,
};
use crate::judge::{Failure, Judge, JudgeContext, Judged};

/// Columns that the attention of a rollout depends on.
const READS: [&str; 3] = ["prompt_ids", "token_ids", "token_mask"];
/// Share of heads that are local, and that are global.
const SHARE: f64 = 0.3;
/// Layers that are averaged.
const LAYERS: usize = 5;

/// Windowed average attention distance per token: `token_waad` (preplan_anchor).
pub struct LookBack {
    /// The model.
    pub attention: Arc<dyn Attention>,
    /// The window, 10 in the paper.
    pub window: usize,
}

/// Future attention influence per token: `token_fai` (preplan_anchor).
pub struct FutureInfluence {
    /// The model.
    pub attention: Arc<dyn Attention>,
    /// The nearest token that counts, 10 in the paper.
    pub nearest: usize,
    /// The farthest token that counts, 100 in the paper.
    pub farthest: usize,
}

/// Throughput of information per token: `token_flow` (flowtracer). The question is the prompt, and the
/// answer is the last `answer_tokens` trainable tokens. No opinion where nothing of the question
/// reaches the answer.
pub struct InformationFlow {
    /// The model.
    pub attention: Arc<dyn Attention>,
    /// Attention below it counts as none.
    pub threshold: f64,
    /// Trainable tokens at the end of the rollout that are the answer.
    pub answer_tokens: usize,
}

/// Attention over prompt and rollout: heads of the middle layers, and the number of prompt tokens.
fn heads(attention: &dyn Attention, rollout: Judged<'_>) -> Result<(Vec<AttentionRows>, usize), Failure> {
    let prompt = rollout.integers("prompt_ids")?;
    let tokens = [prompt.as_slice(), &rollout.integers("token_ids")?].concat();
    let layers = middle_layers(attention.layers(), LAYERS);
    let failed = |error: crate::Error| Failure::Error(error.to_string());
    let heads: Vec<AttentionRows> = attention.attention(&tokens, &layers).map_err(failed)?.concat();
    let is_whole = |head: &AttentionRows| {
        head.len() == tokens.len() && head.iter().enumerate().all(|(t, row)| row.len() == t + 1)
    };
    match heads.iter().all(is_whole) {
        true => Ok((heads, prompt.len())),
        false => Err(Failure::Invalid("attention has not one weight per token and token before it".into())),
    }
}

fn triangle(weights: &[f64]) -> Result<Triangle<'_, f64>, Failure> {
    Triangle::new(weights).ok_or_else(|| Failure::Invalid("attention is no lower triangle".into()))
}

fn scores(values: Vec<f64>) -> Vec<Option<f64>> {
    values.into_iter().map(Some).collect()
}

fn reads() -> Vec<String> {
    READS.map(str::to_owned).to_vec()
}

#[async_trait]
impl Judge for LookBack {
    fn name(&self) -> &str {
        "waad"
    }

    fn version(&self) -> &str {
        "1"
    }

    fn parameters(&self) -> Value {
        json!({ "window": self.window, "weights": self.attention.version() })
    }

    fn level(&self) -> &str {
        "token"
    }

    fn reads(&self) -> Vec<String> {
        reads()
    }

    fn blocks(&self) -> bool {
        true
    }

    async fn judge(&self, rollout: Judged<'_>, _: &JudgeContext) -> Result<Vec<Option<f64>>, Failure> {
        let (heads, prompt) = heads(self.attention.as_ref(), rollout)?;
        let local = mean_heads(&heads, &heads_by_span(&heads, prompt, SHARE).local);
        Ok(scores(look_back(triangle(&local)?, prompt, self.window)))
    }
}

#[async_trait]
impl Judge for FutureInfluence {
    fn name(&self) -> &str {
        "fai"
    }

    fn version(&self) -> &str {
        "1"
    }

    fn parameters(&self) -> Value {
        json!({ "nearest": self.nearest, "farthest": self.farthest, "weights": self.attention.version() })
    }

    fn level(&self) -> &str {
        "token"
    }

    fn reads(&self) -> Vec<String> {
        reads()
    }

    fn blocks(&self) -> bool {
        true
    }

    async fn judge(&self, rollout: Judged<'_>, _: &JudgeContext) -> Result<Vec<Option<f64>>, Failure> {
        let (heads, prompt) = heads(self.attention.as_ref(), rollout)?;
        let global = mean_heads(&heads, &heads_by_span(&heads, prompt, SHARE).global);
        Ok(scores(future_influence(triangle(&global)?, prompt, self.nearest, self.farthest)))
    }
}

#[async_trait]
impl Judge for InformationFlow {
    fn name(&self) -> &str {
        "flow"
    }

    fn version(&self) -> &str {
        "1"
    }

    fn parameters(&self) -> Value {
        json!({
            "threshold": self.threshold,
            "answer_tokens": self.answer_tokens,
            "weights": self.attention.version(),
        })
    }

    fn level(&self) -> &str {
        "token"
    }

    fn reads(&self) -> Vec<String> {
        reads()
    }

    fn blocks(&self) -> bool {
        true
    }

    async fn judge(&self, rollout: Judged<'_>, _: &JudgeContext) -> Result<Vec<Option<f64>>, Failure> {
        let (heads, prompt) = heads(self.attention.as_ref(), rollout)?;
        let all: Vec<usize> = (0..heads.len()).collect();
        let mean = mean_heads(&heads, &all);
        let mean = triangle(&mean)?;
        let mask = rollout.list("token_mask")?;
        let mask = arrow::array::AsArray::as_boolean_opt(&mask).cloned();
        let mask = mask.ok_or_else(|| Failure::Missing("token_mask is no list of flags".to_owned()))?;
        let (question, answer) = question_and_answer(mean.tokens(), prompt, &mask, self.answer_tokens);
        let tokens = mean.tokens().saturating_sub(prompt);
        Ok(match flow(mean, &question, &answer, self.threshold) {
            Some(flow) => scores(flow[prompt..].to_vec()),
            None => vec![None; tokens],
        })
    }
}

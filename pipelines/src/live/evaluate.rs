//! How often a policy solves given prompts.

use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::Float64Type;
use meed_operators::judge::{JudgeContext, Judges, RoundJudges};
use meed_operators::policy::{Policy, Sampling};
use meed_operators::sample::{History, Prompt, SampleRequest, Sampler};
use meed_operators::{Error, Place, Result};

/// What an evaluation found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evaluation {
    /// Prompts that were tried, once each.
    pub prompts: usize,
    /// Share of them with a reward of at least 1. Tries without a reward count as not solved.
    pub pass_rate: f64,
    /// Tries that have no reward because a judge or environment failed.
    pub failed: usize,
}

/// Tries every prompt once with the most probable tokens.
///
/// # Errors
/// Failures of the policy, and judges that cannot judge at all.
pub async fn evaluate(
    sampler: &Sampler,
    judges: &Judges,
    policy: Arc<dyn Policy>,
    prompts: &[Prompt],
) -> Result<Evaluation> {
    let greedy = Sampling { temperature: 0.0, ..sampler.sampling.clone() };
    let sampler = Sampler {
        sampling: greedy,
        group_size: 1,
        strategy: Arc::new(meed_operators::sample::strategy::Independent),
        ..sampler.clone()
    };
    let context = JudgeContext {
        policy: Some(policy.clone()),
        tokenizer: Some(sampler.tokenizer.clone()),
        ..JudgeContext::default()
    };
    let asked = RoundJudges { judges: judges.clone(), context };
    let request =
        SampleRequest { policy, prompts, iteration: 0, seed: 0, judge: &asked, history: &History::default() };
    let sampled = sampler.sample(request).await?;
    let rewards = sampled
        .rollouts
        .column_by_name("reward")
        .and_then(|column| column.as_primitive_opt::<Float64Type>())
        .ok_or_else(|| {
            Error::data(Place::default().column("reward"), "no judge gives it", "name the judge that does")
        })?;
    let solved = rewards.iter().flatten().filter(|&reward| reward >= 1.0).count();
    Ok(Evaluation {
        prompts: prompts.len(),
        pass_rate: solved as f64 / prompts.len().max(1) as f64,
        failed: rewards.null_count(),
    })
}

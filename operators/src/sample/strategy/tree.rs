//! Tree sampling: some rollouts from the prompt, the rest from branch points on them.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use async_trait::async_trait;
use serde_json::Value;

use super::branch_points::{BranchPoint, appo_branch_scores, choose_branch_points};
use super::groups::rewards;
use super::nodes::{Branch, tree_nodes};
use super::{Strategy, off_thread};
use crate::policy::TokenBatch;
use crate::sample::{Episode, Prompt, Round, Sampled};
use crate::{Error, Result};

/// How the tokens are found that branches follow. A branch shares everything up to and with that
/// token, log-probabilities included, and samples the rest anew. Tokens of the environment, and those
/// after which nothing is left to sample, are never branched at.
#[derive(Debug, Clone, PartialEq)]
pub enum BranchBy {
    /// After so many tokens of each rollout, the first number for all rollouts first.
    Fixed(Vec<usize>),
    /// Before the tokens of highest entropy: those are drawn again (TreeRL's entropy-guided forks,
    /// arXiv 2506.11902).
    Entropy,
    /// By APPO's score, see [`appo_branch_scores`], with the policy's own recomputed log-probabilities
    /// as the current ones. Where scores are equal, as they are where both agree to the last bit, the
    /// token of higher entropy comes first; the reference leaves that to its sort.
    Appo {
        /// Discount of the log-ratios of later tokens.
        gamma: f64,
        /// Clip of the future value, as an offset from 1; 0 is none.
        value_clip: f64,
    },
}

/// Of the group's rollouts, `initial` start at the prompt; the rest are branches of those.
///
/// Adds the columns `kind` (`init` or `branch`), `parent_rollout_id`, `split_token` (the last token that
/// is shared with the parent) and `branch_score`, and the tree as rows of `nodes`. A group without a place
/// to branch at gets no branches.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    /// Rollouts that start at the prompt: 1 to the group size.
    pub initial: usize,
    /// Where the others start.
    pub branch_by: BranchBy,
}

#[async_trait]
impl Strategy for Tree {
    fn name(&self) -> &str {
        "tree"
    }

    async fn sample(&self, round: &Round<'_>, prompts: &[Arc<Prompt>]) -> Result<Sampled> {
        let total = round.sampler.group_size;
        let initial = self.initial.clamp(1, total);
        let mut roots = Vec::new();
        for prompt in prompts {
            for number in 0..initial {
                let mut episode = round.episode(prompt, number)?;
                episode.signals.insert("kind".to_owned(), Value::from("init"));
                roots.push(episode);
            }
        }
        let roots = round.run(roots).await?;
        let current = match self.branch_by {
            BranchBy::Appo { .. } => Some(score(round, &roots).await?),
            _ => None,
        };
        let mut branches = Vec::new();
        let mut parents = Vec::new();
        for (group, rollouts) in roots.chunks(initial).enumerate() {
            let mut points = Vec::new();
            for (number, episode) in rollouts.iter().enumerate() {
                let current = current.as_ref().map(|current| &current[group * initial + number]);
                points.extend(self.points(round, episode, number, current.map_or(&[], Vec::as_slice)));
            }
            // What decides between equal scores; further ties keep the order of rollouts and tokens.
            let entropy = |point: &BranchPoint| rollouts[point.rollout].entropies[point.shared - 1];
            if matches!(self.branch_by, BranchBy::Appo { .. }) {
                points.sort_by(|a, b| entropy(b).unwrap_or(0.0).total_cmp(&entropy(a).unwrap_or(0.0)));
            }
            for (number, point) in choose_branch_points(&points, total - initial).into_iter().enumerate() {
                let parent = &rollouts[point.rollout];
                let mut branch = round.fork(parent, point.shared, initial + number);
                branch.signals.extend([
                    ("kind".to_owned(), Value::from("branch")),
                    ("parent_rollout_id".to_owned(), Value::from(parent.rollout_id.clone())),
                    ("split_token".to_owned(), Value::from(point.shared.checked_sub(1))),
                    ("branch_score".to_owned(), self.recorded(point.score)),
                ]);
                branches.push(branch);
                parents.push((group, point));
            }
        }
        let branches = round.run(branches).await?;
        let episodes = [roots, branches].concat();
        let judged = round.judge(&episodes, &columns()).await?;
        let rewards = rewards(&judged.rollouts)?;
        let mut trees: Vec<(String, Vec<Branch>)> =
            prompts.iter().map(|prompt| (prompt.group_id.clone(), Vec::new())).collect();
        let first_branch = prompts.len() * initial;
        for (row, episode) in episodes.iter().enumerate() {
            let (group, parent, shared) = match row.checked_sub(first_branch) {
                None => (row / initial, None, 0),
                Some(branch) => {
                    let (group, point) = parents[branch];
                    (group, Some(point.rollout), point.shared)
                }
            };
            trees[group].1.push(Branch {
                rollout_id: episode.rollout_id.clone(),
                parent,
                shared,
                tokens: episode.tokens.len(),
                reward: rewards[row],
            });
        }
        let nodes = tree_nodes(round.iteration, &trees)?;
        Ok(Sampled { nodes: Some(nodes), ..Sampled::join(vec![judged])? })
    }
}

impl Tree {
    /// The places of one rollout that may be branched at, by token.
    fn points(
        &self,
        round: &Round<'_>,
        episode: &Episode,
        rollout: usize,
        current: &[f32],
    ) -> Vec<BranchPoint> {
        if episode.status.is_some_and(|status| status.is_failure()) {
            return Vec::new();
        }
        let resampled = |shared: usize| episode.mask.get(shared).copied().unwrap_or(false);
        let point = |shared, score| BranchPoint { rollout, shared, score, wanted: true };
        match &self.branch_by {
            BranchBy::Fixed(places) => {
                let places = places.iter().enumerate().filter(|(_, shared)| resampled(**shared));
                places.map(|(order, shared)| point(*shared, -(order as f64))).collect()
            }
            BranchBy::Entropy => (0..episode.tokens.len())
                .filter_map(|shared| episode.entropies[shared].map(|entropy| point(shared, entropy.into())))
                .collect(),
            BranchBy::Appo { gamma, value_clip } => {
                let value = |value: &Option<f32>| value.map_or(0.0, f64::from);
                let entropies: Vec<f64> = episode.entropies.iter().map(value).collect();
                let sampled = episode.logprobs.iter().map(value);
                let log_ratios: Vec<f64> = current
                    .iter()
                    .zip(sampled)
                    .map(|(current, sampled)| f64::from(*current) - sampled)
                    .collect();
                let scored = appo_branch_scores(&entropies, &log_ratios, &episode.mask, *gamma, *value_clip);
                let blank = |token: i32| {
                    let text = round.sampler.tokenizer.decode(&[token]);
                    text.is_ok_and(|text| text.trim().is_empty())
                };
                (1..episode.tokens.len())
                    .filter(|shared| episode.mask[shared - 1] && !blank(episode.tokens[shared - 1]))
                    .map(|shared| BranchPoint {
                        rollout,
                        shared,
                        score: scored.scores[shared - 1],
                        wanted: scored.wanted[shared - 1],
                    })
                    .collect()
            }
        }
    }

    /// The score as it is stored: fixed places have none.
    fn recorded(&self, score: f64) -> Value {
        match self.branch_by {
            BranchBy::Fixed(_) => Value::Null,
            _ => Value::from(score),
        }
    }
}

/// Log-probabilities of the tokens of each episode as the policy scores them now.
async fn score(round: &Round<'_>, episodes: &[Episode]) -> Result<Vec<Vec<f32>>> {
    let mut batch = TokenBatch::default();
    for episode in episodes {
        batch.push(&episode.prompt_ids, &episode.tokens, &episode.mask);
    }
    let offsets = batch.offsets.clone();
    let (policy, temperature) = (round.policy.clone(), round.sampler.sampling.temperature);
    let temperature = if temperature == 0.0 { 1.0 } else { temperature };
    let scores = off_thread(move || policy.score(&batch, temperature)).await?;
    let end = offsets.last().copied().unwrap_or(0);
    if scores.logprobs.len() != end {
        return Err(Error::usage(
            format!("the policy scored {} of {end} tokens", scores.logprobs.len()),
            "every token of the batch gets a score",
        ));
    }
    Ok(offsets.windows(2).map(|range| scores.logprobs[range[0]..range[1]].to_vec()).collect())
}

fn columns() -> Vec<Field> {
    vec![
        Field::new("kind", DataType::Utf8, true),
        Field::new("parent_rollout_id", DataType::Utf8, true),
        Field::new("split_token", DataType::Int64, true),
        Field::new("branch_score", DataType::Float64, true),
    ]
}

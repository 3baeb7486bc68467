//! SLATE: at each step several candidates from one shared prefix, of which one goes on.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use async_trait::async_trait;
use rand::RngCore;
use serde_json::Value;

use super::Strategy;
use super::groups::rewards;
use super::nodes::{Branch, tree_nodes};
use crate::Result;
use crate::random::RandomKey;
use crate::sample::{Episode, JudgedRollouts, Live, Prompt, Round, Sampled, Status, with_signals};

/// Truncated step-level sampling (SLATE, arXiv 2602.23440; algoprog/SLATE): one trajectory per prompt,
/// for each step of it `group_size` candidates that end with the step. The judge rewards the candidates,
/// one is drawn with [`selection_probabilities`], the environment answers it, and the next step begins.
/// What an early answer is worth is for the judge to say, which sees `step_index`.
///
/// Each step is a group of its own, `<prompt>/step-<t>`; a candidate is a rollout whose prompt is all that
/// came before, so that the prefix is shared and only its own tokens are trained on. Adds the columns
/// `question_id` (the prompt's group), `step_index`, `selected`, and, on the selected candidate that ends
/// its trajectory, `trajectory_status` and `trajectory_reason`; and the tree as rows of `nodes`.
///
/// A candidate without a reward is never selected; a step without any ends its trajectory with status
/// `error`. The reference gives failed judgements the score 0, and forces an answer when the steps are
/// used up, which is not done here: the trajectory is `truncated`.
#[derive(Debug, Clone, PartialEq)]
pub struct Slate {
    /// Most steps of a trajectory; the reference's 4.
    pub budget: usize,
    /// Temperature of the selection; 0 takes the best candidate; the reference's 0.7.
    pub temperature: f64,
    /// Text that ends a step where no environment says how a turn ends.
    pub step_end: Option<String>,
}

/// Added to the standard deviation of the candidates' rewards.
const EPS: f64 = 1e-6;

/// Chance of each candidate to go on:
///
/// ```text
/// softmax(A / temperature),   A = (r - mean) / (sample std + eps)
/// ```
///
/// over the candidates with a reward; the others have none. At temperature 0 it is the first of the best.
/// A single reward has no deviation and `A = 0` (the reference gives NaN).
///
/// ```
/// use meed_operators::sample::strategy::selection_probabilities;
/// let chances = selection_probabilities(&[Some(2.0), Some(0.0), Some(1.0), None], 0.7, 1e-6);
/// assert!(chances[0] > chances[2] && chances[2] > chances[1] && chances[3] == 0.0);
/// assert!((chances.iter().sum::<f64>() - 1.0).abs() < 1e-12);
/// ```
pub fn selection_probabilities(rewards: &[Option<f64>], temperature: f64, eps: f64) -> Vec<f64> {
    let known: Vec<f64> = rewards.iter().flatten().copied().collect();
    let count = known.len() as f64;
    let mean = known.iter().sum::<f64>() / count;
    let deviation = match known.len() {
        0 | 1 => 0.0,
        _ => (known.iter().map(|reward| (reward - mean).powi(2)).sum::<f64>() / (count - 1.0)).sqrt(),
    };
    let advantage = |reward: f64| (reward - mean) / (deviation + eps);
    let best = known.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if temperature <= 0.0 {
        let first = rewards.iter().position(|reward| *reward == Some(best));
        return (0..rewards.len()).map(|at| f64::from(u8::from(Some(at) == first))).collect();
    }
    let weight = |reward: f64| ((advantage(reward) - advantage(best)) / temperature).exp();
    let total: f64 = known.iter().map(|reward| weight(*reward)).sum();
    rewards.iter().map(|reward| reward.map_or(0.0, |reward| weight(reward) / total)).collect()
}

/// The trajectory of a prompt so far.
struct Trunk {
    prompt: Arc<Prompt>,
    key: RandomKey,
    /// The selected candidate of the last step, by its number among `branches`.
    last: Option<usize>,
    branches: Vec<Branch>,
}

/// The candidates of one step.
struct Candidates {
    episodes: Vec<Episode>,
    judged: JudgedRollouts,
}

#[async_trait]
impl Strategy for Slate {
    fn name(&self) -> &str {
        "slate"
    }

    async fn sample(&self, round: &Round<'_>, prompts: &[Arc<Prompt>]) -> Result<Sampled> {
        let count = round.sampler.group_size;
        let step_end = round.turn_end().or_else(|| self.step_end.clone());
        let mut trunks = Vec::new();
        let mut begun = Vec::new();
        for prompt in prompts {
            let episode = round.episode(prompt, 0)?;
            let key = episode.key.within("selection");
            trunks.push(Trunk { prompt: prompt.clone(), key, last: None, branches: Vec::new() });
            begun.push(episode);
        }
        let mut lives = round.begin(begun).await;
        let mut steps: Vec<Candidates> = Vec::new();
        // The row of the candidate, by step, that went on last in each trajectory.
        let mut chosen: Vec<Option<(usize, usize)>> = vec![None; prompts.len()];
        for step in 0..self.budget {
            let going: Vec<usize> =
                (0..lives.len()).filter(|index| lives[*index].episode.status.is_none()).collect();
            if going.is_empty() && step > 0 {
                break;
            }
            let mut candidates = Vec::new();
            for &index in &going {
                candidates
                    .extend((0..count).map(|number| candidate(round, &lives[index].episode, step, number)));
            }
            let mut candidates = round.run_alone(candidates, step_end.as_deref()).await?;
            let judged = round.judge(&candidates, &columns()[..2]).await?;
            let rewards = rewards(&judged.rollouts)?;
            for (at, &index) in going.iter().enumerate() {
                let rows = at * count..(at + 1) * count;
                let (trunk, live) = (&mut trunks[index], &mut lives[index]);
                let first = trunk.branches.len();
                let shared = live.episode.tokens.len();
                let branch = |row: usize| Branch {
                    rollout_id: candidates[row].rollout_id.clone(),
                    parent: trunk.last,
                    shared,
                    tokens: shared + candidates[row].tokens.len(),
                    reward: rewards[row],
                };
                let branches: Vec<Branch> = rows.clone().map(branch).collect();
                trunk.branches.extend(branches);
                let chances = selection_probabilities(&rewards[rows.clone()], self.temperature, EPS);
                match drawn(&chances, trunk.key, step) {
                    Some(number) => {
                        trunk.last = Some(first + number);
                        let row = rows.start + number;
                        adopt(live, &candidates[row]);
                        chosen[index] = Some((step, row));
                    }
                    None => live.episode.end(Status::Error, Some("no candidate has a reward".to_owned())),
                }
            }
            for (row, candidate) in candidates.iter_mut().enumerate() {
                let selected = chosen[going[row / count]] == Some((step, row));
                candidate.signals.insert("selected".to_owned(), Value::from(selected));
            }
            round.answer_steps(&mut lives, step_end.as_deref()).await?;
            steps.push(Candidates { episodes: candidates, judged });
        }
        for (live, chosen) in lives.iter_mut().zip(chosen) {
            live.episode.end(Status::Truncated, Some("step limit".to_owned()));
            if let Some((step, row)) = chosen {
                let signals = &mut steps[step].episodes[row].signals;
                let status = live.episode.status.map(|status| status.as_str());
                signals.insert("trajectory_status".to_owned(), Value::from(status));
                signals.insert("trajectory_reason".to_owned(), Value::from(live.episode.reason.clone()));
            }
        }
        // A trajectory that never began has no candidate, and is a rollout all the same.
        let mut broken = Vec::new();
        for (live, _) in lives.iter().zip(&trunks).filter(|(_, trunk)| trunk.branches.is_empty()) {
            let mut episode = live.episode.clone();
            let status = episode.status.map(|status| status.as_str());
            for (name, value) in [
                ("question_id", Value::from(episode.group_id.clone())),
                ("trajectory_status", Value::from(status)),
                ("trajectory_reason", Value::from(episode.reason.clone())),
            ] {
                episode.signals.insert(name.to_owned(), value);
            }
            broken.push(episode);
        }
        if !broken.is_empty() {
            let judged = round.judge(&broken, &columns()[..2]).await?;
            steps.push(Candidates { episodes: broken, judged });
        }
        let mut judged = Vec::new();
        for Candidates { episodes, judged: step } in steps {
            let rollouts = with_signals(step.rollouts, &episodes, &columns()[2..])?;
            judged.push(JudgedRollouts { rollouts, scores: step.scores });
        }
        let trees: Vec<(String, Vec<Branch>)> =
            trunks.into_iter().map(|trunk| (trunk.prompt.group_id.clone(), trunk.branches)).collect();
        let nodes = tree_nodes(round.iteration, &trees)?;
        Ok(Sampled { nodes: Some(nodes), ..Sampled::join(judged)? })
    }
}

fn columns() -> [Field; 5] {
    [
        Field::new("question_id", DataType::Utf8, true),
        Field::new("step_index", DataType::Int64, true),
        Field::new("selected", DataType::Boolean, true),
        Field::new("trajectory_status", DataType::Utf8, true),
        Field::new("trajectory_reason", DataType::Utf8, true),
    ]
}

/// A candidate for the next step of a trajectory: what came before is its prompt.
fn candidate(round: &Round<'_>, trunk: &Episode, step: usize, number: usize) -> Episode {
    let group_id = format!("{}/step-{step}", trunk.group_id);
    let rollout_id = format!("{group_id}/{number}");
    let said = round.sampler.tokenizer.decode(&trunk.tokens).unwrap_or_default();
    let text = format!("{}{said}", trunk.prompt.text);
    let key = round.key(&group_id, &rollout_id);
    let mut episode = trunk.fork(0, rollout_id, key);
    episode.prompt = Arc::new(Prompt { group_id: group_id.clone(), text, ..trunk.prompt.as_ref().clone() });
    episode.group_id = group_id;
    episode.prompt_ids = trunk.context();
    episode.signals.insert("question_id".to_owned(), Value::from(trunk.group_id.clone()));
    episode.signals.insert("step_index".to_owned(), Value::from(step));
    episode.state = trunk.state.clone();
    episode
}

/// The candidate's tokens become the open turn of the trajectory.
fn adopt(live: &mut Live, candidate: &Episode) {
    let trunk = &mut live.episode;
    trunk.tokens.extend_from_slice(&candidate.tokens);
    trunk.mask.extend_from_slice(&candidate.mask);
    trunk.logprobs.extend_from_slice(&candidate.logprobs);
    trunk.entropies.extend_from_slice(&candidate.entropies);
}

/// One draw by these chances; `None` where all are 0.
fn drawn(chances: &[f64], key: RandomKey, step: usize) -> Option<usize> {
    let uniform = (key.at(step as u64).next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    let possible = || chances.iter().enumerate().filter(|(_, chance)| **chance > 0.0);
    let mut below = 0.0;
    let hit = possible().find(|(_, chance)| {
        below += **chance;
        uniform < below
    });
    // Rounding can leave the sum a little short of 1.
    hit.or_else(|| possible().next_back()).map(|(number, _)| number)
}

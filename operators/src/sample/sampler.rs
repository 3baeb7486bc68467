//! From prompts to judged rollouts: the operator sample.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;

use super::calls::Calls;
use super::strategy::Independent;
use super::{Environments, History, JudgeRollouts, JudgedRollouts, Prompt, Round, Strategy};
use crate::credit::Unit;
use crate::policy::{Policy, Sampling, Tokenizer};
use crate::{Error, Place, Result};

/// How rollouts are sampled: a value that holds for a whole run.
#[derive(Clone)]
pub struct Sampler {
    /// Tokenizer of the policy.
    pub tokenizer: Arc<dyn Tokenizer>,
    /// How tokens are drawn. The tokenizer's end token always stops.
    pub sampling: Sampling,
    /// Rollouts per prompt; what strategies make of it, they say.
    pub group_size: usize,
    /// Limit on the tokens of a rollout after its prompt, those of the environment included.
    pub max_tokens: usize,
    /// Limit on the tokens of one turn of the policy.
    pub max_turn_tokens: usize,
    /// Who answers the policy's turns; nobody in single-turn tasks.
    pub environments: Option<Arc<dyn Environments>>,
    /// How many calls to environments run at a time.
    pub environment_calls: usize,
    /// Deadline of each call to an environment.
    pub environment_deadline: Duration,
    /// What is sampled.
    pub strategy: Arc<dyn Strategy>,
}

/// What to sample.
#[derive(Clone)]
pub struct SampleRequest<'a> {
    /// Whom to ask for tokens.
    pub policy: Arc<dyn Policy>,
    /// The prompts, each of a group of its own.
    pub prompts: &'a [Prompt],
    /// The iteration that rollouts belong to.
    pub iteration: i64,
    /// The run's seed.
    pub seed: u64,
    /// Who gives rewards.
    pub judge: &'a dyn JudgeRollouts,
    /// How earlier iterations went.
    pub history: &'a History,
}

/// What was sampled.
#[derive(Debug, Clone)]
pub struct Sampled {
    /// Judged rollouts, in canonical order.
    pub rollouts: RecordBatch,
    /// Rows of `scores`.
    pub scores: Vec<RecordBatch>,
    /// Rows of `nodes`, where the strategy makes trees.
    pub nodes: Option<RecordBatch>,
    /// Judged rollouts that the strategy left out, where it chooses: not to be trained on, but part of
    /// how often prompts are solved. Their scores are among `scores`.
    pub dropped: Option<RecordBatch>,
}

impl Sampler {
    /// G rollouts per prompt at temperature 1, without an environment.
    pub fn new(tokenizer: Arc<dyn Tokenizer>, group_size: usize, max_tokens: usize) -> Self {
        Sampler {
            tokenizer,
            sampling: Sampling::default(),
            group_size,
            max_tokens,
            max_turn_tokens: max_tokens,
            environments: None,
            environment_calls: 64,
            environment_deadline: Duration::from_secs(30),
            strategy: Arc::new(Independent),
        }
    }

    /// Samples and judges rollouts of the prompts.
    ///
    /// Draws depend on seed, iteration, group, rollout and position alone, so that the rows of a prompt
    /// are the same bits whichever prompts are asked with it, for every strategy that decides by group.
    /// Needs a tokio runtime with time enabled.
    ///
    /// # Errors
    /// Failures of the policy, of the judge as a whole, and requests that make no sense. Failures of
    /// environments and single judgements are rows with a status and a null reward.
    pub async fn sample(&self, request: SampleRequest<'_>) -> Result<Sampled> {
        self.check(&request)?;
        let round = Round {
            sampler: self,
            policy: request.policy,
            iteration: request.iteration,
            seed: request.seed,
            judge: request.judge,
            history: request.history,
            calls: Calls::new(self.environment_calls, self.environment_deadline),
        };
        let prompts: Vec<Arc<Prompt>> = request.prompts.iter().cloned().map(Arc::new).collect();
        let mut sampled = self.strategy.sample(&round, &prompts).await?;
        sampled.rollouts = in_canonical_order(sampled.rollouts)?;
        sampled.dropped = sampled.dropped.map(in_canonical_order).transpose()?;
        Ok(sampled)
    }

    /// The tokens that end a turn.
    pub(super) fn ends(&self) -> Vec<i32> {
        let mut ends = self.sampling.stop_tokens.clone();
        ends.push(self.tokenizer.end());
        ends
    }

    fn check(&self, request: &SampleRequest<'_>) -> Result<()> {
        for (what, value) in [
            ("group_size", self.group_size),
            ("max_tokens", self.max_tokens),
            ("max_turn_tokens", self.max_turn_tokens),
            ("environment_calls", self.environment_calls),
        ] {
            if value == 0 {
                return Err(Error::usage(format!("`{what}` is 0"), "give at least 1"));
            }
        }
        if request.iteration < 0 {
            return Err(Error::usage(format!("iteration {} is negative", request.iteration), "count from 0"));
        }
        let mut seen = BTreeSet::new();
        match request.prompts.iter().find(|prompt| !seen.insert(&prompt.group_id)) {
            None => Ok(()),
            Some(prompt) => Err(Error::usage(
                format!("group {} occurs twice among the prompts", prompt.group_id),
                "a prompt is one group of an iteration; ask for a larger group instead",
            )),
        }
    }
}

impl Sampled {
    /// The rollouts and scores of several rounds of judging.
    ///
    /// # Errors
    /// Rounds in which the judge added different columns; no round at all.
    pub fn join(rounds: Vec<JudgedRollouts>) -> Result<Sampled> {
        let Some(schema) = rounds.first().map(|round| round.rollouts.schema()) else {
            return Err(Error::usage("nothing was sampled", "judge at least one batch, if without rows"));
        };
        if let Some(other) = rounds.iter().find(|round| round.rollouts.schema() != schema) {
            return Err(Error::data(
                Place::default(),
                format!(
                    "the judge added other columns in a later round: {:?}",
                    other.rollouts.schema().fields()
                ),
                "the columns that a judge adds must not depend on the rows",
            ));
        }
        let rollouts = concat_batches(&schema, rounds.iter().map(|round| &round.rollouts))?;
        let scores = rounds.into_iter().flat_map(|round| round.scores).collect();
        Ok(Sampled { rollouts, scores, nodes: None, dropped: None })
    }
}

fn in_canonical_order(batch: RecordBatch) -> Result<RecordBatch> {
    Ok(Unit::new(batch)?.batch().clone())
}

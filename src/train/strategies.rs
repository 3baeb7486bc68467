//! Strategies of sampling by name.

use std::sync::Arc;

use meed_operators::sample::Prompt;
use meed_operators::sample::strategy::{BranchBy, Independent, Knapsack, Refill, Strategy, Tree};
use meed_operators::{Error, Result};
use meed_pipelines::tasks::Problems;

use super::Train;

/// Names of `meed train --strategy`; those that need prompts of their own are for pipelines in Rust.
const STRATEGIES: [&str; 4] = ["independent", "tree", "refill", "knapsack_rl"];
/// How often a group without variance is replaced.
const ROUNDS: usize = 3;
/// Where the replacements of a prompt begin among the training prompts: far beyond those of any run.
const REPLACEMENTS: u64 = 1 << 40;

impl Train {
    /// The strategy that was asked for.
    pub(super) fn built_strategy(&self, problems: Problems) -> Result<Arc<dyn Strategy>> {
        Ok(match self.strategy.as_str() {
            "independent" => Arc::new(Independent),
            "tree" => Arc::new(Tree { initial: self.group_size.div_ceil(2), branch_by: BranchBy::Entropy }),
            "refill" => Arc::new(Refill {
                inner: Arc::new(Independent),
                signal: "reward".to_owned(),
                rounds: ROUNDS,
                source: Arc::new(move |_iteration, prompt: &Prompt, round| {
                    let number: u64 = prompt.group_id.rsplit('/').next()?.parse().ok()?;
                    let index = REPLACEMENTS + number * (ROUNDS as u64 + 1) + round as u64;
                    problems.training(index).ok()
                }),
            }),
            "knapsack_rl" => Arc::new(Knapsack { high: 4 * self.group_size, ..Knapsack::default() }),
            other => {
                return Err(Error::usage(
                    format!("there is no strategy `{other}`"),
                    format!("strategies: {}", STRATEGIES.join(", ")),
                ));
            }
        })
    }
}

//! Rollout budgets by Knapsack RL: more rollouts where a mixed group is likely and worth it.

use std::sync::Arc;

use async_trait::async_trait;

use super::Strategy;
use super::independent::groups_of;
use crate::sample::{Prompt, Round, Sampled};
use crate::{Error, Result};

/// Spends `group_size` rollouts per prompt where they teach most (Knapsack RL, arXiv 2509.25849).
///
/// The budget of a request is `group_size` times its prompts, and success rates are those of the last
/// iteration that sampled the prompt. The prompts of an iteration belong into one request: the shares
/// depend on all of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Knapsack {
    /// Fewest rollouts of a prompt; the paper's 2.
    pub low: usize,
    /// Most rollouts of a prompt; the paper's 128.
    pub high: usize,
}

impl Default for Knapsack {
    fn default() -> Self {
        Knapsack { low: 2, high: 128 }
    }
}

#[async_trait]
impl Strategy for Knapsack {
    fn name(&self) -> &str {
        "knapsack_rl"
    }

    fn needs_rewards(&self) -> bool {
        false
    }

    fn decides_by_batch(&self) -> bool {
        true
    }

    fn reads_history(&self) -> bool {
        true
    }

    async fn sample(&self, round: &Round<'_>, prompts: &[Arc<Prompt>]) -> Result<Sampled> {
        let rates: Vec<Option<f64>> =
            prompts.iter().map(|prompt| round.history.success_rate(&prompt.group_id)).collect();
        let budget = round.sampler.group_size * prompts.len();
        let sizes = allocate_rollouts(&rates, budget, self.low, self.high)?;
        groups_of(round, prompts, &sizes).await
    }
}

/// What `n` rollouts are worth on a prompt with pass rate `p`: the chance of a mixed group times what
/// is to be learned from it.
///
/// ```text
/// V(n, p) = (1 - p^n - (1-p)^n) * p * (1-p)^2
/// ```
///
/// ```
/// use meed_operators::sample::strategy::rollout_value;
/// assert_eq!(rollout_value(2, 0.5), 0.0625);
/// assert!((rollout_value(8, 0.1) - 0.0461321552).abs() < 1e-10);
/// ```
pub fn rollout_value(n: usize, p: f64) -> f64 {
    let (q, n) = (1.0 - p, n as f64);
    (1.0 - p.powf(n) - q.powf(n)) * p * q * q
}

/// Rollouts per prompt that maximise the sum of [`rollout_value`] with `low` to `high` rollouts each
/// and `budget` in all. Exact: the value is concave in the number of rollouts, so that the best
/// increments are the largest ones. Equal increments go to earlier prompts.
///
/// A prompt without a rate (`None`) gets an even share. What is left once nothing more is to be gained
/// goes to prompts of rate 0, evenly, and is not spent where there are none.
///
/// ```
/// use meed_operators::sample::strategy::allocate_rollouts;
/// assert_eq!(allocate_rollouts(&[Some(0.1), Some(0.5), Some(0.9)], 12, 2, 8)?, [5, 5, 2]);
/// # Ok::<(), meed_operators::Error>(())
/// ```
///
/// # Errors
/// A budget that is smaller than `low` for each prompt, bounds that contradict each other, and rates
/// outside `[0, 1]`.
pub fn allocate_rollouts(
    rates: &[Option<f64>],
    budget: usize,
    low: usize,
    high: usize,
) -> Result<Vec<usize>> {
    if low == 0 || high < low || budget < low * rates.len() {
        return Err(Error::usage(
            format!("{budget} rollouts cannot be {low} to {high} for each of {} prompts", rates.len()),
            "sample fewer prompts or more rollouts",
        ));
    }
    if let Some(rate) = rates.iter().flatten().find(|rate| !(0.0..=1.0).contains(*rate)) {
        return Err(Error::usage(
            format!("a success rate of {rate}"),
            "rewards of 0 to 1 give success rates; scale them",
        ));
    }
    let mut sizes = vec![low; rates.len()];
    let mut left = budget - low * rates.len();
    // Prompts that were never sampled: the even share, the first ones one more where it is uneven.
    for (prompt, size) in sizes.iter_mut().enumerate().filter(|(prompt, _)| rates[*prompt].is_none()) {
        let share = budget / rates.len() + usize::from(prompt < budget % rates.len());
        let more = share.clamp(low, high) - low;
        *size += more.min(left);
        left -= more.min(left);
    }
    let mut gains: Vec<(f64, usize)> = Vec::new();
    for (prompt, rate) in rates.iter().enumerate() {
        if let Some(p) = rate.filter(|rate| *rate > 0.0 && *rate < 1.0) {
            let q = 1.0 - p;
            let gain = |n: i32| (p.powi(n) * q + q.powi(n) * p) * p * q * q;
            gains.extend((low..high).map(|n| (gain(n as i32), prompt)));
        }
    }
    gains.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    for (_, prompt) in gains.into_iter().take(left) {
        sizes[prompt] += 1;
        left -= 1;
    }
    let hopeless: Vec<usize> = (0..rates.len()).filter(|prompt| rates[*prompt] == Some(0.0)).collect();
    for _ in low..high {
        for prompt in hopeless.iter().take(left) {
            sizes[*prompt] += 1;
        }
        left -= left.min(hopeless.len());
    }
    Ok(sizes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(rates: &[f64], sizes: &[usize]) -> f64 {
        rates.iter().zip(sizes).map(|(rate, size)| rollout_value(*size, *rate)).sum()
    }

    fn known(rates: &[f64]) -> Vec<Option<f64>> {
        rates.iter().copied().map(Some).collect()
    }

    #[test]
    fn the_papers_numbers() {
        for (n, p, want) in
            [(2, 0.5, 0.0625), (8, 0.1, 0.0461321552), (8, 0.5, 0.1240234375), (8, 0.9, 0.005125795)]
        {
            assert!((rollout_value(n, p) - want).abs() < 1e-10);
        }
        let rates = [0.1, 0.5, 0.9];
        let best = allocate_rollouts(&known(&rates), 12, 2, 8).unwrap();
        assert_eq!(best, [5, 5, 2]);
        assert!((value(&rates, &best) - 0.151977).abs() < 5e-7);
        assert!((value(&rates, &[4, 4, 4]) - 0.140317).abs() < 5e-7);
    }

    #[test]
    fn nothing_is_better() {
        let rates = [0.05, 0.3, 0.62, 0.97];
        for budget in 8..=24 {
            let best = allocate_rollouts(&known(&rates), budget, 2, 6).unwrap();
            assert_eq!(best.iter().sum::<usize>(), budget);
            let mut highest: f64 = 0.0;
            for code in 0..5usize.pow(4) {
                let sizes: Vec<usize> = (0..4).map(|at| 2 + code / 5usize.pow(at) % 5).collect();
                if sizes.iter().sum::<usize>() <= budget {
                    highest = highest.max(value(&rates, &sizes));
                }
            }
            assert!(value(&rates, &best) >= highest - 1e-15, "{budget}: {best:?}");
        }
    }

    #[test]
    fn unknown_and_hopeless_prompts() {
        assert_eq!(allocate_rollouts(&[None; 3], 25, 2, 128).unwrap(), [9, 8, 8]);
        assert_eq!(allocate_rollouts(&known(&[0.0, 1.0, 0.0]), 24, 2, 10).unwrap(), [10, 2, 10]);
        assert_eq!(allocate_rollouts(&known(&[0.0, 0.5, 0.0]), 15, 2, 8).unwrap(), [4, 8, 3]);
        assert_eq!(allocate_rollouts(&[None, Some(0.5), Some(1.0)], 24, 2, 128).unwrap(), [8, 14, 2]);
        assert!(allocate_rollouts(&known(&[0.5, 0.5]), 3, 2, 8).is_err());
        assert!(allocate_rollouts(&known(&[1.5]), 8, 2, 8).is_err());
        assert!(allocate_rollouts(&[], 0, 2, 8).unwrap().is_empty());
    }
}

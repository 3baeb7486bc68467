//! SPA-RL's progress estimator: contributions of the turns that add up to the reward.
//!
//! The loss is the mean over rollouts of `(sum_t c_t - R)^2`, with the contribution `c_t` of each turn of the
//! policy. Its gradient is that of `step_contributions`; the policy has none.

use meed_operators::Result;
use meed_operators::objectives::{Columns, Loss, Objective};

use crate::objectives::NamedObjective;

/// The estimator's loss.
pub const SPA_RL: NamedObjective = NamedObjective {
    name: "spa_rl",
    title: "regress the sum of the turns' contributions on the reward",
    citation: "SPA-RL, arXiv 2505.20732; prm_model.forward",
    formula: "mean over rollouts of (sum_t c_t - R)^2",
    parameters: &[],
    build: |_| Ok(Box::new(ProgressEstimator)),
};

/// What is guessed or differs.
pub const FIDELITY: &str = "equal to the released loss";

struct ProgressEstimator;

impl Objective for ProgressEstimator {
    fn name(&self) -> &str {
        "spa_rl"
    }

    fn loss(&self, columns: &Columns) -> Result<Loss> {
        columns.check()?;
        let contributions = columns.step_signal("step_contributions")?;
        let rewards = columns.rewarded()?;
        let steps = columns.step_ranges()?;
        let mut gradient = vec![0.0; contributions.len()];
        let mut loss = Loss::zero(columns);
        for (range, reward) in columns.ranges().zip(rewards) {
            let at = |token: usize| steps.partition_point(|step| step.start < token);
            let turns: Vec<usize> = (at(range.start)..at(range.end))
                .filter(|&step| steps[step].clone().any(|t| columns.mask[t]))
                .collect();
            let error = turns.iter().map(|&step| contributions[step]).sum::<f64>() - reward;
            loss.value += error * error / columns.rollouts() as f64;
            turns.iter().for_each(|&step| gradient[step] = 2.0 * error / columns.rollouts() as f64);
        }
        loss.part("estimator_loss", loss.value);
        loss.signals.insert("step_contributions".into(), gradient);
        Ok(loss)
    }
}

//! LaRe's return decomposition: the loss of a decoder whose step rewards are to add up to the return.
//!
//! RD: `((1/T) sum_t r_t - R/T)^2`. RRD: `(mean of K drawn steps - R/T)^2`, less `v (1 - K/T) / K` where it is to be
//! unbiased, with `v` the sample variance of the drawn rewards.

use meed_operators::Result;
use meed_operators::objectives::preference::draw as drawn_of;
use meed_operators::objectives::{Columns, Loss, Objective, exact};
use meed_operators::random::RandomKey;

use crate::objectives::NamedObjective;
use crate::parameters::{Parameter, Parameters, parameter};

const PARAMETERS: &[Parameter] = &[
    parameter("loss", "rd", "rd: all steps of an episode; rrd: the steps that step_drawn marks with 1"),
    parameter("unbiased", "false", "of rrd: the variance of the draw is taken off"),
];

/// The decomposition loss. Reads the signal `step_proxy_rewards`, one value per step, whose gradient it gives; steps
/// without a trainable token are none. The mean over rollouts that have a step.
pub const LARE: NamedObjective = NamedObjective {
    name: "lare",
    title: "return decomposition of a decoder of step rewards",
    citation: "Qu et al. 2024, Latent Reward, arXiv 2412.11120; RRD: Ren et al. 2022, arXiv 2111.13485",
    formula: "(mean_t r_t - R / T)^2",
    parameters: &[PARAMETERS],
    build,
};

/// What is guessed or differs.
pub const FIDELITY: &str = "equations; an episode shorter than K is taken whole, where one release draws with \
                            replacement and another refuses it, and the scaling of drawn rewards by T/K of the \
                            multi-agent release is left out";

fn build(parameters: &Parameters) -> Result<Box<dyn Objective>> {
    let randomised = match parameters.text("loss")? {
        "rd" => false,
        "rrd" => true,
        _ => return Err(parameters.unknown("loss", &["rd", "rrd"])),
    };
    Ok(Box::new(Lare { randomised, unbiased: parameters.boolean("unbiased")? }))
}

struct Lare {
    randomised: bool,
    unbiased: bool,
}

/// Steps of each rollout that have a trainable token, by their number in the batch.
fn steps_of(columns: &Columns) -> Result<Vec<Vec<usize>>> {
    let steps = columns.step_ranges()?;
    let own = |range: std::ops::Range<usize>| {
        let inside = |step: &usize| {
            let step = &steps[*step];
            range.start <= step.start && step.end <= range.end && step.clone().any(|t| columns.mask[t])
        };
        (0..steps.len()).filter(inside).collect()
    };
    Ok(columns.ranges().map(own).collect())
}

/// Draws so many steps of each rollout without replacement, all of a shorter one: 1 for each step that was drawn, as
/// the signal `step_drawn`. A draw depends on the key and the step's number in the batch.
///
/// # Errors
/// A batch without steps.
pub fn draw(columns: &Columns, count: usize, key: RandomKey) -> Result<Vec<f64>> {
    let mut drawn = vec![0.0; columns.step_ranges()?.len()];
    for (rollout, steps) in steps_of(columns)?.into_iter().enumerate() {
        let own = drawn_of(&vec![1.0; steps.len()], count, key.within(&rollout.to_string()));
        steps.into_iter().zip(own).filter(|(_, on)| *on).for_each(|(step, _)| drawn[step] = 1.0);
    }
    Ok(drawn)
}

impl Objective for Lare {
    fn name(&self) -> &str {
        "lare"
    }

    fn loss(&self, columns: &Columns) -> Result<Loss> {
        columns.check()?;
        let (rewards, returns) = (columns.step_signal("step_proxy_rewards")?, columns.rewarded()?);
        let drawn = if self.randomised { Some(columns.step_signal("step_drawn")?) } else { None };
        let steps = steps_of(columns)?;
        let share = 1.0 / steps.iter().filter(|own| !own.is_empty()).count().max(1) as f64;
        let mut slopes = vec![0.0; rewards.len()];
        let mut losses = Vec::with_capacity(steps.len());
        for (rollout, own) in steps.iter().enumerate() {
            let sampled: Vec<usize> =
                own.iter().copied().filter(|&step| drawn.is_none_or(|drawn| drawn[step] != 0.0)).collect();
            if sampled.is_empty() {
                losses.push(0.0);
                continue;
            }
            let (length, count) = (own.len() as f64, sampled.len() as f64);
            let mean = exact(sampled.iter().map(|&step| rewards[step])) / count;
            let gap = mean - returns[rollout] / length;
            let squares = exact(sampled.iter().map(|&step| (rewards[step] - mean).powi(2)));
            let correction = match self.unbiased && count > 1.0 {
                true => (1.0 - count / length) / count / (count - 1.0),
                false => 0.0,
            };
            losses.push(gap * gap - correction * squares);
            for &step in &sampled {
                slopes[step] = share * 2.0 * (gap / count - correction * (rewards[step] - mean));
            }
        }
        let mut loss = Loss::zero(columns);
        loss.value = share * exact(losses.iter().copied());
        loss.outputs.insert("rollout_losses".into(), losses);
        loss.signals.insert("step_proxy_rewards".into(), slopes);
        Ok(loss)
    }
}

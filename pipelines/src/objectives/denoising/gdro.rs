//! GDRO: the ranking of a prompt's stored samples by their rewards, as a soft list.

use meed_operators::Result;
use meed_operators::objectives::preference::{Scores, softmax};
use meed_operators::objectives::{Columns, Loss};

use crate::objectives::NamedObjective;
use crate::objectives::parts::function::function;
use crate::parameters::parameter;

/// `L = sum_i [log sum_{m >= i} exp(s_m) - sum_{j >= i} q_i(j) s_j] + gamma e_1` over a group in order of its
/// rewards, the best first, with `q_i(j) = exp(r_j / tau) / sum_{m >= i} exp(r_m / tau)` and
/// `s = -beta (e - e_ref)`; the mean over groups. `e` is the squared error of the predicted velocity, at one
/// noise level and noise for policy and reference.
///
/// The batch has `-e` in `logprobs` and `-e_ref` in `ref_logprobs`, one position per rollout, as for `flow_dpo`,
/// and the gradient is with respect to `-e`. At `tau` 0 it is Plackett and Luce's model, and DPO for two. Rollouts
/// that are not trained on are in no list.
pub const GDRO: NamedObjective = NamedObjective {
    name: "gdro",
    title: "soft ranking of a group by squared errors of a flow model",
    citation: "GDRO: Group-level Reward Post-training Suitable for Diffusion Models, arXiv 2601.02036",
    formula: "sum_i [log sum_{m >= i} exp(s_m) - sum_{j >= i} q_i(j) s_j] + gamma e_1",
    parameters: &[&[
        parameter("beta", "12", "scale of the scores; 6 for GenEval"),
        parameter("tau", "0.05", "temperature of the rewards"),
        parameter("gamma", "0.5", "weight of imitating the best sample; 1 for GenEval"),
        parameter("terms", "all", "all: every rank; first: who is the best, only"),
    ]],
    build: |parameters| {
        let (beta, tau) = (parameters.number("beta")?, parameters.number("tau")?);
        let gamma = parameters.number("gamma")?;
        let first = match parameters.text("terms")? {
            "all" => false,
            "first" => true,
            _ => return Err(parameters.unknown("terms", &["all", "first"])),
        };
        Ok(function("gdro", move |columns| Gdro { beta, tau, gamma, first }.loss(columns)))
    },
};

/// See [`super::FIDELITY`].
pub const FIDELITY: &str = "equations: the paper's, with the mean over groups. Groups of equal rewards stay, and \
    pull their scores together; of equal rewards the first in the batch ranks higher";

struct Gdro {
    beta: f64,
    tau: f64,
    gamma: f64,
    first: bool,
}

impl Gdro {
    fn loss(&self, columns: &Columns) -> Result<Loss> {
        let rewards = columns.rewarded()?;
        let errors = Scores::likelihoods(columns)?.per_token(columns);
        let scores = Scores::log_ratios(columns)?.per_token(columns);
        let trained = |&rollout: &usize| columns.range(rollout).any(|t| columns.mask[t]);
        let mut groups: Vec<Vec<usize>> =
            columns.members().into_iter().map(|group| group.into_iter().filter(trained).collect()).collect();
        groups.retain(|group: &Vec<usize>| !group.is_empty());
        let share = 1.0 / groups.len().max(1) as f64;
        let (mut ranking, mut anchor) = (0.0, 0.0);
        let (mut by_score, mut by_error) = (vec![0.0; scores.values.len()], vec![0.0; scores.values.len()]);
        for group in &mut groups {
            group.sort_by(|&a, &b| rewards[b].total_cmp(&rewards[a]));
            let terms = if self.first { 1 } else { group.len() };
            for rest in (0..terms.min(group.len() - 1)).map(|i| &group[i..]) {
                let s: Vec<f64> = rest.iter().map(|&j| self.beta * scores.values[j]).collect();
                let (targets, chances) = (self.targets(rest, rewards), softmax(&s));
                let top = s.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                ranking += share * (top + s.iter().map(|s| (s - top).exp()).sum::<f64>().ln());
                for (at, &j) in rest.iter().enumerate() {
                    ranking -= share * targets[at] * s[at];
                    by_score[j] += share * self.beta * (chances[at] - targets[at]);
                }
            }
            anchor -= share * errors.values[group[0]];
            by_error[group[0]] -= share * self.gamma;
        }
        let mut loss = Loss { value: ranking + self.gamma * anchor, ..Loss::default() };
        let of_errors = errors.gradient(columns, &by_error);
        loss.logprobs = scores.gradient(columns, &by_score);
        loss.logprobs.iter_mut().zip(of_errors).for_each(|(sum, slope)| *sum += slope);
        loss.parts.extend([("ranking".to_owned(), ranking), ("anchor".to_owned(), anchor)]);
        Ok(loss)
    }

    /// The chance of each of these to be the best of them, by reward.
    fn targets(&self, rest: &[usize], rewards: &[f64]) -> Vec<f64> {
        let best = rewards[rest[0]];
        if self.tau > 0.0 {
            return softmax(&rest.iter().map(|&j| (rewards[j] - best) / self.tau).collect::<Vec<_>>());
        }
        let equal = rest.iter().filter(|&&j| rewards[j] == best).count() as f64;
        rest.iter().map(|&j| if rewards[j] == best { 1.0 / equal } else { 0.0 }).collect()
    }
}

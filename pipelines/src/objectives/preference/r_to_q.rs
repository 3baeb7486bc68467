//! DPO read as a Q-function: the implicit reward of every token.

use meed_operators::objectives::preference::{Scores, implicit_rewards, mean_over_pairs, preferred, sigmoid};

use super::dpo::BETA;
use crate::objectives::NamedObjective;
use crate::objectives::parts::function::function;

/// `L = -log sigmoid(sum_w r_t - sum_l r_t)` with `r_t = beta (logp_t - ref_t)`: DPO. Each `r_t` is the
/// token's true reward plus a difference of values. Its outputs are per token:
/// `implicit_rewards`, `values` (their sum before and at the token: the value there less that of the
/// prompt) and `rewards_to_go`.
pub const R_TO_Q: NamedObjective = NamedObjective {
    name: "r_to_q",
    title: "DPO with its implicit token rewards and values",
    citation: "Rafailov et al. 2024, From r to Q*, arXiv 2404.12358",
    formula: "-log sigmoid(sum_w r - sum_l r), r = beta (logp - ref)",
    parameters: &[&[BETA]],
    build: |parameters| {
        let beta = parameters.number("beta")?;
        Ok(function("r_to_q", move |columns| {
            let scores = Scores::log_ratios(columns)?;
            let mut loss = mean_over_pairs(columns, &scores, |_, w, l| sigmoid(beta, 0.0, w, l))?;
            let totals: Vec<f64> = scores.values.iter().map(|score| beta * score).collect();
            preferred(&mut loss, &columns.pairs, &totals);
            let rewards = implicit_rewards(columns, beta)?;
            let (mut values, mut to_go) = (rewards.clone(), rewards.clone());
            for range in columns.ranges() {
                let later = range.clone().skip(1);
                later.clone().for_each(|t| values[t] += values[t - 1]);
                later.rev().for_each(|t| to_go[t - 1] += to_go[t]);
            }
            let outputs = [("implicit_rewards", rewards), ("values", values), ("rewards_to_go", to_go)];
            loss.outputs.extend(outputs.map(|(name, output)| (name.to_owned(), output)));
            Ok(loss)
        }))
    },
};

/// See [`super::FIDELITY`].
pub const FIDELITY: &str = "equations 5 to 14 of the paper, which has no program; the recovery of exact \
    values from all actions is `preference::soft_value`";

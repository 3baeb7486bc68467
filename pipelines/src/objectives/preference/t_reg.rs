//! T-REG: a preference loss with a token reward that the reference model gives itself.

use meed_operators::objectives::preference::{
    PairLoss, Scores, logistic, mean_over_pairs, preferred, sigmoid,
};
use meed_operators::objectives::{Columns, Loss};
use meed_operators::{Error, Result};

use super::dpo::BETA;
use crate::objectives::NamedObjective;
use crate::objectives::parts::function::function;
use crate::parameters::parameter;

/// `L = L_base + alpha w (R(y_w) + R(y_l))` per pair, with `R(y) = -sum_t beta r_t logp_t`,
/// `r_t = sigmoid(better_t - worse_t) - 1/2` from the signals `token_better_logprobs` and
/// `token_worse_logprobs` (the reference model, told to answer better or worse), and
/// `w = sigmoid(-margin)`. Both `r` and `w` are held fixed.
pub const T_REG: NamedObjective = NamedObjective {
    name: "t_reg",
    title: "DPO or SimPO with self-generated token rewards",
    citation: "Zhou et al. 2024, T-REG, arXiv 2412.02685",
    formula: "-log sigmoid(margin) - alpha sigmoid(-margin) sum_{w,l} beta (sigmoid(better - worse) - 1/2) logp",
    parameters: &[&[
        BETA,
        parameter("alpha", "0.25", "weight of the token rewards; the paper tries 0.1, 0.25, 0.5"),
        parameter("base", "dpo", "dpo, or simpo: log-likelihoods per token, less the margin gamma"),
        parameter("gamma", "0", "SimPO's target margin"),
    ]],
    build: |parameters| {
        let (beta, alpha) = (parameters.number("beta")?, parameters.number("alpha")?);
        let gamma = parameters.number("gamma")?;
        let (base, shift): (fn(&Columns) -> Result<Scores>, f64) = match parameters.text("base")? {
            "simpo" => (|columns| Ok(Scores::likelihoods(columns)?.per_token(columns)), gamma / beta),
            "dpo" if gamma == 0.0 => (Scores::log_ratios, 0.0),
            "dpo" => {
                return Err(Error::usage("t_reg: gamma with base dpo", "gamma is a margin of base simpo"));
            }
            _ => return Err(parameters.unknown("base", &["dpo", "simpo"])),
        };
        Ok(function("t_reg", move |columns| {
            let scores = base(columns)?;
            let mut loss = mean_over_pairs(columns, &scores, |_, w, l| sigmoid(beta, 0.0, w - shift, l))?;
            let rewards: Vec<f64> = scores.values.iter().map(|score| beta * score).collect();
            let misordered: Vec<f64> = columns
                .pairs
                .iter()
                .map(|pair| logistic(rewards[pair.rejected] - rewards[pair.chosen]))
                .collect();
            let token_rewards = regulariser(columns, beta)?;
            let added = mean_over_pairs(columns, &token_rewards, |i, w, l| PairLoss {
                value: alpha * misordered[i] * (w + l),
                chosen: alpha * misordered[i],
                rejected: alpha * misordered[i],
            })?;
            loss.parts
                .extend([("preference".to_owned(), loss.value), ("regulariser".to_owned(), added.value)]);
            loss.add_weighted(1.0, Loss { outputs: Default::default(), ..added });
            preferred(&mut loss, &columns.pairs, &rewards);
            Ok(loss)
        }))
    },
};

/// See [`super::FIDELITY`].
pub const FIDELITY: &str = "equations: no program of the authors was at hand. Guessed: the mean over \
    pairs, and that SimPO's margin gamma is not in the weight w";

/// `-sum_t beta r_t logp_t` of each rollout.
fn regulariser(columns: &Columns, beta: f64) -> Result<Scores> {
    let better = columns.token_signal("token_better_logprobs")?;
    let worse = columns.token_signal("token_worse_logprobs")?;
    Scores::weighted(columns, None, |t| -beta * (logistic(better[t] - worse[t]) - 0.5))
}

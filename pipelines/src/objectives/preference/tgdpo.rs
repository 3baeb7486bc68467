//! TGDPO: DPO whose tokens are weighted by another model's implicit token reward.

use meed_operators::objectives::preference::{Scores, mean_over_pairs, preferred, sigmoid};

use super::dpo::BETA;
use crate::objectives::NamedObjective;
use crate::objectives::parts::function::function;
use crate::parameters::parameter;

/// `L = -log sigmoid(sum_w beta (1 + alpha r_t) a_t - sum_l beta (1 - alpha r_t) a_t)`, with
/// `a_t = logp_t - ref_t`, and `r_t = beta (token_rm_logprobs_t - ref_t)` of a frozen model that was
/// trained with DPO or SimPO. Weights may become negative. With `alpha = 0` it is DPO.
pub const TGDPO: NamedObjective = NamedObjective {
    name: "tgdpo",
    title: "DPO with token weights from an implicit token reward",
    citation: "Zhu et al. 2025, TGDPO",
    formula: "-log sigmoid(sum_w beta (1 + alpha r) a - sum_l beta (1 - alpha r) a)",
    parameters: &[&[BETA, parameter("alpha", "0.5", "how far the token reward changes a token's weight")]],
    build: |parameters| {
        let (beta, alpha) = (parameters.number("beta")?, parameters.number("alpha")?);
        Ok(function("tgdpo", move |columns| {
            let reference = columns.needed(&columns.ref_logprobs, "token_ref_logprobs")?;
            let model = columns.token_signal("token_rm_logprobs")?;
            let mut signs = vec![0.0; columns.tokens()];
            for pair in columns.known_pairs()? {
                signs[columns.range(pair.chosen)].fill(1.0);
                signs[columns.range(pair.rejected)].fill(-1.0);
            }
            once(columns)?;
            let weight = |t: usize| 1.0 + signs[t] * alpha * beta * (model[t] - reference[t]);
            let scores = Scores::weighted(columns, Some(reference), weight)?;
            let mut loss = mean_over_pairs(columns, &scores, |_, w, l| sigmoid(beta, 0.0, w, l))?;
            let rewards: Vec<f64> =
                Scores::log_ratios(columns)?.values.iter().map(|score| beta * score).collect();
            preferred(&mut loss, &columns.pairs, &rewards);
            Ok(loss)
        }))
    },
};

/// See [`super::FIDELITY`].
pub const FIDELITY: &str = "as the authors' code, which needs one pair per device batch; its option \
    pref_ftx (an NLL term) raises there and is left out";

/// A rollout that is chosen in one pair and rejected in another has no one sign.
fn once(columns: &meed_operators::objectives::Columns) -> meed_operators::Result<()> {
    let both =
        columns.pairs.iter().find(|pair| columns.pairs.iter().any(|other| other.rejected == pair.chosen));
    match both {
        None => Ok(()),
        Some(pair) => Err(meed_operators::Error::usage(
            format!("tgdpo: rollout {} is chosen in one pair and rejected in another", pair.chosen),
            "the weight of a token depends on which it is: give each rollout one of the two parts",
        )),
    }
}

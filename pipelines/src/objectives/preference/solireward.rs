//! SoliReward: a margin between winners and losers, and a loss that holds ties together.

use meed_operators::objectives::preference::{PairLoss, log_sigmoid, logistic};

use crate::objectives::NamedObjective;
use crate::objectives::parts::function::function;
use crate::objectives::parts::pairs::{optional_pair_signal, over_scores};
use crate::parameters::parameter;

/// With `d = s_w - s_l` of the signal `scores`: `-log sigmoid(d - m)` for a winner against a loser, and
/// `-log sigmoid(d - m) - log sigmoid(-d - m)` for two winners, which the signal `pair_ties` marks with 1.
///
/// The loss of a tie is least at `d = 0`, where it is `2 log(1 + e^m)`. Without `pair_ties` there are none. Pairs may
/// join responses to different prompts.
pub const SOLIREWARD: NamedObjective = NamedObjective {
    name: "solireward",
    title: "pairwise loss of a reward model with a margin and a loss of ties",
    citation: "SoliReward; lian700/SoliReward",
    formula: "-log sigmoid(d - m), of ties also -log sigmoid(-d - m)",
    parameters: &[&[parameter("margin", "3", "m, by which a winner is to be ahead")]],
    build: |parameters| {
        let margin = parameters.number("margin")?;
        Ok(function("solireward", move |columns| {
            let ties = optional_pair_signal(columns, "pair_ties")?;
            over_scores(columns, |pair, w, l| {
                let ahead = |d: f64| (-log_sigmoid(d - margin), -logistic(margin - d));
                let won = PairLoss::of_margin(1.0, ahead(w - l));
                match ties.is_some_and(|ties| ties[pair] != 0.0) {
                    true => won.plus(PairLoss::of_margin(-1.0, ahead(l - w))),
                    false => won,
                }
            })
        }))
    },
};

/// See [`super::FIDELITY`].
pub const FIDELITY: &str = "equations, as in the code; its options of a cross-entropy of single labels (weight 0) and \
    of label smoothing are left out";

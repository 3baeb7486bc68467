//! BaseReward: the plain pairwise loss, and the term that its study tried and left out.

use meed_operators::objectives::preference::{PairLoss, sigmoid};

use crate::objectives::NamedObjective;
use crate::objectives::parts::function::function;
use crate::objectives::parts::pairs::over_scores;
use crate::parameters::parameter;

/// `L = -log sigmoid(s_w - s_l) + zero_coef (s_w + s_l)^2` on the signal `scores`, one per rollout.
pub const BASEREWARD: NamedObjective = NamedObjective {
    name: "basereward",
    title: "pairwise loss of a reward model, with scores drawn to 0 where asked for",
    citation: "Zhang et al. 2025, BaseReward, arXiv 2509.16127",
    formula: "-log sigmoid(s_w - s_l) + zero_coef (s_w + s_l)^2",
    parameters: &[&[parameter(
        "zero_coef",
        "0",
        "weight of the squared sum of the two scores; the study found that it hurts",
    )]],
    build: |parameters| {
        let zero = parameters.number("zero_coef")?;
        Ok(function("basereward", move |columns| {
            over_scores(columns, |_, w, l| {
                let slope = 2.0 * zero * (w + l);
                let drawn = PairLoss { value: zero * (w + l).powi(2), chosen: slope, rejected: slope };
                sigmoid(1.0, 0.0, w, l).plus(drawn)
            })
        }))
    },
};

/// See [`super::FIDELITY`].
pub const FIDELITY: &str = "equations; the head (two layers with SiLU) is the model's, and the division by the \
    logarithm of the length, which the study rejects too, is left out";

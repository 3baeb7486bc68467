//! Bradley-Terry: the loss of a reward model on pairs of which one is preferred.

use meed_operators::objectives::preference::sigmoid;

use crate::objectives::NamedObjective;
use crate::objectives::parts::function::function;
use crate::objectives::parts::pairs::{optional_pair_signal, over_scores};

/// `L = -l log sigmoid(s_w - s_l) - (1 - l) log sigmoid(s_l - s_w)` on the signal `scores`, one per rollout.
///
/// The label `l` of a pair is in the signal `pair_labels`, 1/2 for a tie, and 1 without the signal. What is
/// preferred may be whole responses, leaves of a tree, steps or messages: whatever the scores are of.
pub const BRADLEY_TERRY: NamedObjective = NamedObjective {
    name: "bradley_terry",
    title: "the pairwise loss of a reward model",
    citation: "Bradley and Terry 1952; Stiennon et al. 2020, arXiv 2009.01325",
    formula: "-l log sigmoid(s_w - s_l) - (1 - l) log sigmoid(s_l - s_w)",
    parameters: &[],
    build: |_| {
        Ok(function("bradley_terry", |columns| {
            let labels = optional_pair_signal(columns, "pair_labels")?;
            over_scores(columns, |pair, w, l| {
                sigmoid(1.0, labels.map_or(0.0, |labels| 1.0 - labels[pair]), w, l)
            })
        }))
    },
};

/// See [`super::FIDELITY`].
pub const FIDELITY: &str = "equations";

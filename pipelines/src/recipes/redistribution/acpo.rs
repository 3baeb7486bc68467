//! ACPO: the outcome, shared out over steps by what each tells about the answer.

use meed_operators::credit::{rollout, signal, sum, when};

use crate::inputs::{Input, Of, input};
use crate::parts::steps::judged;
use crate::recipe::{Fidelity, REWARD, Recipe};

const INPUTS: &[Input] = &[input(
    "step_attributions",
    Of::Share,
    "how much each step tells about the answer: a surrogate of their mutual information, 0 or more",
    "cut the response at peaks of entropy, and compare the answer's likelihood with and without each step",
)];

/// ACPO: `r_k = R a_k / sum(a)`; nothing is shared out where nothing is attributed.
///
/// The shares of a rollout sum to its outcome.
pub const ACPO: Recipe = Recipe {
    name: "acpo",
    title: "the outcome shared out by the attributions of steps",
    citation: "ACPO, arXiv 2510.08899",
    family: "redistribution",
    formula: "r_k = R a_k / sum(a)",
    fidelity: Fidelity::Reconstructed,
    deviations: "read from the abstract: the surrogate and the segmentation come with the data; the regulation by entropy and the two phases are not included, since their constants are not known",
    inputs: &[INPUTS],
    parameters: &[],
    plan: |_| {
        let attribution = || signal("step_attributions").max(0.0);
        let total = || sum(attribution(), rollout());
        let share = when(total().equals(0.0), 0.0, attribution() / total());
        let credit = judged([signal("step_attributions")]).define("step_attribution_shares", share);
        Ok(credit.define("step_shaped_rewards", signal("step_attribution_shares") * signal("reward")).into())
    },
    ..REWARD
};

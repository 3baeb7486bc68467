//! EduAlign: helpfulness, personalisation and creativity of a tutor's answer, weighed.

use meed_operators::credit::Credit;

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::reward::weights;
use crate::parts::shaped::{credit_of, group_with, weighted_sum};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const JUDGE: &str = "a judge of that name at rollout level, such as the multi-dimensional reward model";

const INPUTS: &[Input] = &[
    input("helpfulness", Of::Share, "how much the response helps", JUDGE),
    input("personalization", Of::Share, "how well it fits the learner", JUDGE),
    input("creativity", Of::Share, "how creative it is", JUDGE),
];

const DIMENSIONS: &[&str] = &["helpfulness", "personalization", "creativity"];

const PARAMETERS: &[Parameter] = &[parameter(
    "weights",
    "[0.3333333333333333, 0.3333333333333333, 0.3333333333333333]",
    "of helpfulness, personalization and creativity; one of weight 0 is not read",
)];

/// EduAlign: `r = sum_d w_d s_d`, compared in its group. A dimension that is null leaves the rollout without a
/// reward.
pub const EDUALIGN: Recipe = Recipe {
    name: "edualign",
    title: "weighted helpfulness, personalisation and creativity",
    citation: "EduAlign: Cultivating Helpful, Personalized, and Creative AI Tutors",
    family: "rewards",
    formula: "r = sum_d w_d * s_d; A = (r - mean(r)) / (std(r) + eps)",
    fidelity: Fidelity::Reconstructed,
    deviations: "from the abstract; guessed: equal weights, scores that are not normalised, sample deviation and eps",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, &group_with("1", "1e-4")],
    plan: |parameters| {
        let shaped = weighted_sum(DIMENSIONS, &weights(parameters, DIMENSIONS.len())?);
        Ok(credit_of(parameters, Credit::new(), shaped)?.into())
    },
    ..ADVANTAGE
};

//! Resume GRPO: four criteria of a judgement of an application, weighed, with penalties kept small.

use meed_operators::credit::{Credit, Level, Reduction, signal, values, when};

use crate::inputs::{Input, Of, items};
use crate::parameters::{Parameter, parameter};
use crate::parts::reward::weights;
use crate::parts::shaped::{complete, credit_of, group_with};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[items(
    "criterion_scores",
    Of::Number,
    "one score per criterion, negative for a penalty: decision, reasoning, format, length or confidence",
    "one verifier or judge per criterion; store their scores as a list",
)];

const PARAMETERS: &[Parameter] = &[
    parameter("weights", "[0.4, 0.3, 0.2, 0.1]", "one per criterion"),
    parameter(
        "penalty_scale",
        "1.0",
        "multiplies negative scores: large penalties teach the policy to reject every application",
    ),
];

/// Resume GRPO: `r = sum_c w_c s_c`, compared in its group. A criterion that is null leaves the rollout without
/// a reward.
pub const RESUME_GRPO: Recipe = Recipe {
    name: "resume_grpo",
    title: "weighted sum of four criteria with soft penalties",
    citation: "A Mathematical Framework for Custom Reward Functions in Job Application Evaluation, arXiv 2511.16073",
    family: "rewards",
    objective: ("ppo_clip", &[("kl", r#"{"coef": 0.01}"#)]),
    formula: "r = sum_c w_c * s_c; A = (r - mean(r)) / (std(r) + eps)",
    fidelity: Fidelity::Reconstructed,
    deviations: "from the abstract and a summary; guessed: the criteria, their weights, how penalties are softened, the coefficient of the divergence, eps",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, &group_with("1", "1e-4")],
    plan: |parameters| {
        let weights = weights(parameters, parameters.numbers("weights")?.map_or(0, |weights| weights.len()))?;
        let score = || signal("criterion_scores");
        let scale = parameters.number("penalty_scale")?;
        let softened = when(score().less(0.0), score() * scale, score());
        let weighed = softened * values(Level::from("criterion"), weights);
        Ok(credit_of(parameters, Credit::new(), complete(weighed, Reduction::Sum, None))?.into())
    },
    ..ADVANTAGE
};

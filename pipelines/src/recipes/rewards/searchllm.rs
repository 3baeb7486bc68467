//! SearchLLM: bottom lines gate the utility of an answer, softly.

use meed_operators::credit::{Credit, ROLLOUT, Reduction, if_present, signal, value};

use crate::inputs::{Input, Of, items};
use crate::parameters::{Parameter, parameter};
use crate::parts::group::GROUP;
use crate::parts::shaped::{complete, credit_of};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[
    items(
        "gate_scores",
        Of::Share,
        "how well the response meets each bottom line: grounding, basic quality, format",
        "one judge per bottom line; store their scores as a list",
    ),
    items(
        "objective_scores",
        Of::Share,
        "how well it meets each objective beyond them: robustness, user needs",
        "one judge per objective; store their scores as a list. objective_weights weighs them, 1 each without it",
    ),
    items(
        "objective_weights",
        Of::Number,
        "weight of each objective; 1 each without the column",
        "import it with the question",
    ),
];

const PARAMETERS: &[Parameter] = &[parameter(
    "delta",
    "0.01",
    "smoothing of the gate: one bottom line missed of m leaves about delta^(1/m)",
)];

/// SearchLLM: `r = B U`, `B = exp(mean_i ln((s_i + delta) / (1 + delta)))`, `U = sum_j w_j s'_j / sum_j w_j`.
///
/// The gate is 1 where all bottom lines are met. Without an objective, or with weights that sum to 0, the
/// utility is 1; a score that is null leaves the rollout without a reward.
pub const SEARCHLLM: Recipe = Recipe {
    name: "searchllm",
    title: "utility times a smoothed geometric mean of the bottom lines",
    citation: "Aligning Large Language Models with Searcher Preferences (SearchLLM)",
    family: "rewards",
    objective: ("ppo_clip", &[("kl", r#"{"coef": 0.01}"#)]),
    formula: "r = exp(mean_i ln((s_i + delta)/(1 + delta))) * sum_j w_j s_j / sum_j w_j",
    fidelity: Fidelity::Equations,
    deviations: "the paper does not name the kind of deviation: the sample's",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, GROUP],
    plan: |parameters| {
        let delta = parameters.number("delta")?;
        let met = ((signal("gate_scores") + delta) / (1.0 + delta)).ln();
        let weights = if_present(signal("objective_weights"), value(1.0));
        let scores = || signal("objective_scores");
        let utility = scores().reduce(ROLLOUT, Reduction::Mean).weighted(weights).or_else(1.0);
        let credit = Credit::new()
            .define("gate", complete(met, Reduction::Mean, Some(0.0)).exp())
            .define("utility", utility + 0.0 * complete(scores(), Reduction::Sum, Some(0.0)));
        Ok(credit_of(parameters, credit, signal("gate") * signal("utility"))?.into())
    },
    ..ADVANTAGE
};

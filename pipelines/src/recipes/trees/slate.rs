//! SLATE: candidates for one step, judged and compared with each other.

use meed_operators::credit::{
    Credit, Expr, Norm, group, if_present, normalize, rank, signal, softmax, text, when,
};

use crate::inputs::{Input, Of, input, whole};
use crate::parameters::{Parameter, parameter};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const JUDGE: &str =
    "a language model that judges the candidate's thinking and its query or answer: -1, 0 or 1";

const INPUTS: &[Input] = &[
    input("judge_think", Of::Number, "verdict on the thinking of the candidate", JUDGE),
    input("judge_action", Of::Number, "verdict on the query or answer of the candidate", JUDGE),
    input("action", Of::Text, "`search` or `answer`", "the sampler's environment, or an import"),
    whole(
        "step_index",
        Of::Count,
        "how many steps the trajectory had before the candidate's",
        "the strategy `slate` of the sampler",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter("bonus", "0.1", "what an answer at once is worth beside its verdicts"),
    parameter("budget", "4", "steps after which an answer has no bonus left"),
    parameter("eps", "1e-6", "added to the deviation"),
    parameter(
        "temperature",
        "0.7",
        "of the choice among candidates, by advantage; 0 or less: the best candidate",
    ),
];

/// SLATE: a group is one step of a question, its rollouts are `k` candidates after the same prefix.
/// `r = think + action`, an answer `bonus (budget - step) / budget` more; `A = (r - mean(r)) / (std(r) + eps)`.
///
/// Without verdicts `r` is the candidate's `reward`: that of a judge which counts all of this itself.
/// `selection_probabilities` are what the candidate to go on from is drawn with, `softmax(A / temperature)`. A
/// candidate alone gets 0, where the released code divides by NaN.
pub const SLATE: Recipe = Recipe {
    name: "slate",
    title: "candidates of one step, judged and normalised among each other",
    citation: "Truncated Step-Level Sampling with Process Rewards, arXiv 2602.23440 Eq. 3 to 5; compute_step_level_advantage",
    family: "trees",
    objective: ("slate", &[]),
    formula: "r = think + action + [answer] bonus (budget - step) / budget; A = normalize(r, by(group))",
    fidelity: Fidelity::Reference,
    deviations: "a candidate alone gets 0 where the released code gives NaN; one without a verdict is left out where it counts 0",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let budget = parameters.number("budget")?;
        let early = parameters.number("bonus")? * (budget - signal("step_index")) / budget;
        let answers = signal("action").equals(text("answer"));
        let judged = signal("judge_think") + signal("judge_action") + when(answers, early, 0.0);
        let rewards = if_present(judged, signal("reward"));
        let norm = Norm::group_std(parameters.number("eps")?);
        let credit = Credit::new()
            .define("rewards", rewards)
            .define("normalised", normalize(signal("rewards"), &norm));
        let chosen = choice(signal("normalised"), parameters.number("temperature")?);
        Ok(credit.define("selection_probabilities", chosen).advantage(signal("normalised")).into())
    },
    ..ADVANTAGE
};

/// The probability of each candidate to be gone on from.
fn choice(advantage: Expr, temperature: f64) -> Expr {
    if temperature > 0.0 {
        return softmax(advantage / temperature, group());
    }
    when(rank(advantage, group(), false).equals(0.0), 1.0, 0.0)
}

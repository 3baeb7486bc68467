//! PRE-GRPO: the best image on the way, less what was lost of it and what the way cost.

use meed_operators::credit::{Credit, ROLLOUT, Reduction, TURN, policy, signal, value};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::group::GROUP;
use crate::parts::shaped::{complete, credit_of};
use crate::parts::steps::indicator;
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[input(
    "turn_quality",
    Of::Number,
    "quality of the image after the turn",
    "a judge of images; store its score of every turn",
)];

const PARAMETERS: &[Parameter] = &[
    parameter("peak_weight", "1.0", "weight of the best quality"),
    parameter("retention_weight", "1.0", "weight of what the last turn is worse than the best"),
    parameter("efficiency_weight", "0.1", "weight of the share of turns that were used"),
    parameter("max_turns", "5", "greatest number of turns"),
];

/// PRE-GRPO: `R = w_p max q - w_r (max q - q_T) - w_e (T - 1) / (T_max - 1)`, compared in the group.
///
/// One turn loses nothing and costs nothing.
pub const PRE_GRPO: Recipe = Recipe {
    name: "pre_grpo",
    title: "peak quality, less what was lost of it and the turns that were used",
    citation: "Generation Navigator: A State-Aware Agentic Framework for Image Generation, arXiv 2605.17969",
    family: "rewards",
    formula: "R = w_p P - w_r (P - q_T) - w_e (T - 1) / (T_max - 1), P = max_t q_t",
    fidelity: Fidelity::Reconstructed,
    deviations: "read from the abstract, which names the three parts; guessed: their forms and weights, the greatest number of turns",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, GROUP],
    plan: |parameters| {
        let number = |name: &str| parameters.number(name);
        let turns = indicator(policy(TURN)).reduce(ROLLOUT, Reduction::Sum);
        let most = number("max_turns")?;
        let used = if most > 1.0 { (turns - 1.0) / (most - 1.0) } else { value(0.0) };
        let credit = Credit::new()
            .define("peak", complete(signal("turn_quality"), Reduction::Max, None))
            .define(
                "retention_loss",
                signal("peak") - signal("turn_quality").reduce(ROLLOUT, Reduction::Last),
            )
            .define("efficiency_cost", used);
        let shaped = number("peak_weight")? * signal("peak")
            - number("retention_weight")? * signal("retention_loss")
            - number("efficiency_weight")? * signal("efficiency_cost");
        Ok(credit_of(parameters, credit, shaped)?.into())
    },
    ..ADVANTAGE
};

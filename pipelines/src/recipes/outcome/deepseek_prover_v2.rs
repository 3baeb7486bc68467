//! DeepSeek-Prover-V2: the verifier's verdict, and early on whether the proof keeps to its plan.

use meed_operators::credit::{Credit, progress, signal, when};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::group::GROUP;
use crate::parts::shaped::credit_of;
use crate::parts::stages::staged;
use crate::parts::steps::{indicator, is_correct, where_used};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[
    input(
        "planned_lemmas_kept",
        Of::Share,
        "share of the lemmas of the plan that the final proof has",
        "compare the statements of the plan with those of the proof",
    ),
    input(
        "is_whole_theorem",
        Of::Flag,
        "whether the prompt is a whole theorem and no subgoal of one; read with whole_from",
        "whoever decomposes theorems into prompts",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter("consistency", "0.5", "weight of the plan's lemmas at the start"),
    parameter("end", "50", "iteration from which they weigh nothing"),
    parameter(
        "whole_from",
        "null",
        "iteration from which whole theorems are trained on, subgoals before; null: both",
    ),
];

/// `r = [verified] + consistency (1 - i / end) kept` in iteration `i`, compared in the group; a curriculum begins with
/// the subgoals of decomposed theorems.
pub const DEEPSEEK_PROVER_V2: Recipe = Recipe {
    name: "deepseek_prover_v2",
    title: "binary verdict of a proof plus an early reward for keeping to the plan",
    citation: "Ren et al. 2025, DeepSeek-Prover-V2, arXiv 2504.21801",
    family: "outcome",
    formula: "r = [verified] + consistency * (1 - min(i / end, 1)) * kept; A = GRPO(r)",
    fidelity: Fidelity::Reconstructed,
    deviations: "from the abstract and general knowledge; guessed: the weight of consistency, its linear decay and end, that it is a share, and the curriculum of two stages; the verifier of proofs is the user's",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, GROUP],
    plan: |parameters| {
        let weight = parameters.number("consistency")? * (1.0 - progress(0.0, parameters.number("end")?));
        let kept = when(weight.clone().differs(0.0), weight * where_used(signal("planned_lemmas_kept")), 0.0);
        let credit = staged(parameters, Credit::new(), "whole_from", signal("is_whole_theorem"))?;
        Ok(credit_of(parameters, credit, indicator(is_correct()) + kept)?.into())
    },
    ..ADVANTAGE
};

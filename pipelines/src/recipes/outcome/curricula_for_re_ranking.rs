//! Training curricula for re-ranking: hard samples weigh little at first.

use meed_operators::credit::{Credit, group, progress, rank, signal, when};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::group::{GROUP, group_advantage};
use crate::parts::steps::is_correct;
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[
    input(
        "easiness",
        Of::Share,
        "how easy the sample is, 1 for the easiest (easiness=given)",
        "any measure of difficulty, such as the pass rate of the prompt",
    ),
    input(
        "first_stage_score",
        Of::Number,
        "score of the answer by a simple ranker such as BM25 (easiness=reciprocal_rank)",
        "the ranker that retrieved the answer",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter(
        "easiness",
        "given",
        "given: the column easiness; reciprocal_rank: 1 / rank by the first stage in the group for right answers, 1 less that for wrong ones",
    ),
    parameter("end", "100", "iteration from which all samples weigh 1"),
];

/// The weight of a sample ramps from its easiness to 1: `w = e + min(i / end, 1) (1 - e)` in iteration `i`. The
/// advantage is GRPO's.
pub const CURRICULA_FOR_RE_RANKING: Recipe = Recipe {
    name: "curricula_for_re_ranking",
    title: "sample weights that ramp from easiness to 1 over training",
    citation: "MacAvaney et al. 2020, Training Curricula for Open Domain Answer Re-Ranking, arXiv 2004.14269",
    family: "outcome",
    formula: "w = e + min(i / end, 1) * (1 - e)",
    fidelity: Fidelity::Reconstructed,
    deviations: "from the abstract; guessed: the linear ramp and its end, and the heuristic of ranks; the paper weighs ranking losses, here the weight is on the tokens of a group-relative loss",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, GROUP],
    plan: |parameters| {
        let easiness = match parameters.text("easiness")? {
            "given" => signal("easiness"),
            "reciprocal_rank" => {
                let reciprocal = 1.0 / (rank(signal("first_stage_score"), group(), false) + 1.0);
                when(is_correct(), reciprocal.clone(), 1.0 - reciprocal)
            }
            _ => return Err(parameters.unknown("easiness", &["given", "reciprocal_rank"])),
        };
        let easy = || signal("sample_easiness");
        Ok(Credit::new()
            .define("sample_easiness", easiness)
            .weights(easy() + progress(0.0, parameters.number("end")?) * (1.0 - easy()))
            .advantage(group_advantage(parameters, signal("reward"))?)
            .into())
    },
    ..ADVANTAGE
};

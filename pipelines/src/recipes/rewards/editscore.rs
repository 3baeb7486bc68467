//! EditScore: consistency and quality of an edit, judged in several passes.

use meed_operators::Result;
use meed_operators::credit::{Credit, Expr, ROLLOUT, Reduction, signal, when};

use crate::inputs::{Input, Of, items};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::group::group_advantage;
use crate::parts::shaped::group_with;
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const JUDGE: &str =
    "a judge that is shown the original, the edit and the instruction; one value per sampled pass";

const INPUTS: &[Input] = &[
    items(
        "pass_success_scores",
        Of::Number,
        "of each pass: how well the instruction was followed; null: not readable",
        JUDGE,
    ),
    items(
        "pass_preservation_scores",
        Of::Number,
        "of each pass: how little else was changed; null: not readable",
        JUDGE,
    ),
    items(
        "pass_naturalness_scores",
        Of::Number,
        "of each pass: how natural the result looks; null: not readable",
        JUDGE,
    ),
    items(
        "pass_artifact_scores",
        Of::Number,
        "of each pass: how free of artifacts it is; null: not readable",
        JUDGE,
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter("range", "25", "the best sub-score"),
    parameter("average", "last", "over passes: last (of the scores of passes), first (of their two parts)"),
    parameter(
        "outside",
        "middle",
        "a sub-score outside the range: middle, or released (12.5 of 10, as the code has it)",
    ),
    parameter("clamp", "5", "bound of the advantage; null: none"),
];

/// EditScore: per pass `SC` and `PQ`, the lesser of two sub-scores each, scaled to 10, and `O = sqrt(SC PQ)`; over
/// passes their mean, or `sqrt(mean SC mean PQ)`. The advantage is normalised in the group with the population
/// deviation, and clamped.
///
/// A sub-score that could not be read counts as the middle of the range, as in the reference.
pub const EDITSCORE: Recipe = Recipe {
    name: "editscore",
    title: "geometric mean of consistency and quality over judge passes",
    citation: "EditScore; VectorSpaceLab/EditScore, OmniGen2-RL",
    family: "rewards",
    objective: ("ppo_clip", &[("clip_low", "1e-4"), ("clip_high", "1e-4")]),
    formula: "O = mean over passes of sqrt(min(SC) * min(PQ)); A = clamp((O - mean) / (std + 1e-8))",
    fidelity: Fidelity::Equations,
    deviations: "a sub-score outside the range counts as its middle, 5 of 10; outside=released gives the 12.5 of the code; a position is a denoising step, whose log-probability is the mean over image tokens on import",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, &group_with("0", "1e-8")],
    plan: |parameters| {
        let least = |a, b| -> Result<Expr> { Ok(scaled(parameters, a)?.min(scaled(parameters, b)?)) };
        let mean = |x: Expr| x.reduce(ROLLOUT, Reduction::Mean);
        let (consistency, quality) = (|| signal("pass_consistency"), || signal("pass_quality"));
        let overall = match parameters.text("average")? {
            "last" => mean((consistency() * quality()).sqrt()),
            "first" => (mean(consistency()) * mean(quality())).sqrt(),
            _ => return Err(parameters.unknown("average", &["last", "first"])),
        };
        let credit = Credit::new()
            .define("pass_consistency", least("pass_success_scores", "pass_preservation_scores")?)
            .define("pass_quality", least("pass_naturalness_scores", "pass_artifact_scores")?);
        let advantage = group_advantage(parameters, signal("rewards"))?;
        let bounded = match parameters.optional_number("clamp")? {
            Some(bound) => advantage.clamp(-bound, bound),
            None => advantage,
        };
        Ok(credit.define("rewards", overall).advantage(bounded).into())
    },
    ..ADVANTAGE
};

/// A sub-score from 0 to 10.
fn scaled(parameters: &Parameters, column: &str) -> Result<Expr> {
    let range = parameters.number("range")?;
    let outside = match parameters.text("outside")? {
        "middle" => 5.0,
        "released" => range / 2.0,
        _ => return Err(parameters.unknown("outside", &["middle", "released"])),
    };
    let score = signal(column).or_else(range / 2.0) / (range / 10.0);
    Ok(when(score.clone().less(0.0).or(score.clone().greater(10.0)), outside, score))
}

//! Dynamic guidance: the guidance scale of each denoising step that online evaluators like best.

use meed_operators::credit::{Credit, Reduction, STEP, group, maximum, rank, signal, value};

use crate::inputs::{Input, Of, input, pairs};
use crate::parts::shaped::all_known;
use crate::parts::steps::{indicator, steps_before, truth};
use crate::recipe::{Fidelity, Recipe, SELECTION};

const INPUTS: &[Input] = &[
    input(
        "guidance",
        Of::Number,
        "the guidance scale that the row stands for",
        "the sampler's list of candidates",
    ),
    pairs(
        "step_evaluator_scores",
        Of::Number,
        "per step the score that each evaluator gives the latent after the step under the row's guidance",
        "evaluators of noisy latents, asked for each candidate: predictions with and without the condition are shared",
    ),
    pairs(
        "step_evaluator_previous_scores",
        Of::Number,
        "per step the score that each evaluator gave the latent that the step starts from; null at the first step",
        "the same evaluators",
    ),
];

/// Dynamic classifier-free guidance: at each step the candidate with the greatest `sum_e a_e e`, where
/// `a_e = (e - e_previous) / e_previous` weighs an evaluator by how much it has risen.
///
/// A group is one sample and its rollouts are the candidates. Where there is no earlier score, or one that is
/// not above 0, an evaluator has weight 1. A candidate that an evaluator did not score is not chosen; of equal
/// candidates the first is. `step_guidance` is the schedule, the same in every row of the group.
pub const DYNAMIC_CFG: Recipe = Recipe {
    name: "dynamic_cfg",
    title: "guidance scale of each denoising step, chosen by online evaluators",
    citation: "Dynamic Classifier-Free Diffusion Guidance via Online Feedback (2025)",
    family: "denoising",
    formula: "s_t = argmax_s sum_e a_e e(x_t^s), a_e = (e_t - e_(t+1)) / e_(t+1)",
    fidelity: Fidelity::Reconstructed,
    deviations: "read second-hand; guessed: that the weights of evaluators are those of each candidate, and what they are where a score before is not above 0",
    inputs: &[INPUTS],
    plan: |_| {
        let (score, before) =
            (|| signal("step_evaluator_scores"), || signal("step_evaluator_previous_scores"));
        let rise = (score() - before()) / before().null_if(before().greater(0.0).negated());
        let chosen = rank(signal("step_candidate_scores"), group().and(steps_before()), false).equals(0.0);
        let of_chosen = signal("guidance") + value(0.0).null_if(signal("step_chosen").negated());
        Ok(Credit::new()
            .define(
                "step_candidate_scores",
                (rise.or_else(1.0) * score()).reduce(STEP, Reduction::Sum) + all_known(score(), STEP),
            )
            .define("step_chosen", chosen.or_else(truth().negated()))
            .define("step_guidance", maximum(of_chosen, group().and(steps_before())))
            .define("step_selection", indicator(signal("step_chosen")))
            .into())
    },
    ..SELECTION
};

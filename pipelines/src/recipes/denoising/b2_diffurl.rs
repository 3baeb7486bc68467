//! B2-DiffuRL: the best and the worst branch of a late denoising step, by a z-score over the history.

use meed_operators::credit::{Credit, Expr, group, history, mean, progress, rank, signal, std, when};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::steps::{indicator, policy_steps, steps_before};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[input(
    "branch_id",
    Of::Text,
    "the latent that the sample branched off from, with others",
    "a sampler that branches where the trained steps begin, on import",
)];

const PARAMETERS: &[Parameter] = &[
    parameter("history", "8", "earlier iterations whose scores of the prompt count in mean and deviation"),
    parameter("positive_threshold", "0.5", "the best of a branch group is kept from this z-score on"),
    parameter("negative_threshold", "-0.5", "the worst of a branch group is kept below this z-score"),
    parameter("positive_weight", "1.0", "factor of advantages above 0"),
    parameter("negative_weight", "1.0", "factor of other advantages"),
    parameter("adv_clip_max", "5", "z-scores are clamped to plus or minus this"),
    parameter("eps", "1e-8", "added to the deviation"),
    parameter("first_trained", "14", "last steps that are trained in the first iteration"),
    parameter("stages", "100", "iterations until all steps are trained"),
];

/// B2-DiffuRL: `A = clamp((r - mean) / (std + eps), -5, 5)` with mean and sample deviation of the prompt's
/// scores in this and the last iterations. Of each branch group the best is kept where its score is at least
/// the upper threshold, the worst where it is below the lower one; all others have weight 0, as have steps
/// before the last `first + floor(i (T - first + 1) / stages)` of `T`.
///
/// The groups of the data are prompts, which have the same id in every iteration.
pub const B2_DIFFURL: Recipe = Recipe {
    name: "b2_diffurl",
    title: "best and worst branches of late denoising steps, by their z-score over the history",
    citation: "Towards Better Alignment: Training Diffusion Models with Reinforcement Learning Against Sparse Rewards; hu-zijing/B2-DiffuRL",
    family: "denoising",
    objective: ("ppo_clip", &[("clip_low", "0.1"), ("clip_high", "0.1")]),
    formula: "A = clamp((r - mean) / (std + 1e-8), -5, 5) by(history, prompt), for the best and the worst of a branch",
    fidelity: Fidelity::Equations,
    deviations: "an iteration is a stage; ties of best and worst are broken in canonical order",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let earlier = f64::from(parameters.small("history")?);
        let past = || history().last(earlier as u32 + 1).and(signal("group_id"));
        let reward = || signal("reward");
        let score =
            (reward() - mean(reward(), past())) / (std(reward(), past(), 1) + parameters.number("eps")?);
        let z = || signal("z_score");
        let place = |ascending: bool| rank(z(), group().and(signal("branch_id")), ascending).equals(0.0);
        let best = place(false).and(z().at_least(parameters.number("positive_threshold")?));
        let worst = place(true).and(z().less(parameters.number("negative_threshold")?));
        let (first, stages) = (parameters.number("first_trained")?, parameters.number("stages")?);
        let growth = progress(0.0, stages) * (policy_steps() - first + 1.0).max(0.0);
        // A whole number may come out a little too small.
        let trained: Expr = first + (growth + 1e-9).floor();
        let late = (policy_steps() - steps_before()).at_most(trained);
        let most = parameters.number("adv_clip_max")?;
        let factor = when(
            z().greater(0.0),
            parameters.number("positive_weight")?,
            parameters.number("negative_weight")?,
        );
        Ok(Credit::new()
            .define("z_score", score)
            .define("kept", indicator(best.or(worst)))
            .advantage(z().clamp(-most, most) * factor)
            .weights(signal("kept") * indicator(late))
            .into())
    },
    ..ADVANTAGE
};

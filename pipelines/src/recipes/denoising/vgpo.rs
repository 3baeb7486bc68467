//! VGPO: discounted values of denoising steps, compared in the group and anchored where it has no variance.

use meed_operators::credit::{group, mean, return_to_go, rollout, signal, when};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::denoising::{FLOW_EPS, STEP_NEXT_SIGMAS, adds_noise, compared_at_step};
use crate::parts::steps::{judged, steps_before};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[input(
    "step_projected_rewards",
    Of::Number,
    "reward of the clean sample that one step from the latent after the step predicts",
    "predict the clean sample at every latent and score it with the reward model",
)];

const PARAMETERS: &[Parameter] = &[
    parameter("gamma", "0.9", "discount per step"),
    parameter("k", "0.1", "weight of the value itself beside the normalised one"),
    parameter("anchored_steps", "5", "first steps that have the value itself beside the normalised one"),
];

/// VGPO: with `Q_t = sum gamma^k R_(t+k)` over the rest of the sample, `A_t = w_t ((Q_t - mean) / (std + eps) +
/// k Q_t)`, where mean and deviation are those of the step in the group and `w_t = Q_t / mean of the sample's Q`.
///
/// Where all samples of a group are alike the value itself is left, in place of 0. A sample whose values
/// have mean 0 has weights 1.
pub const VGPO: Recipe = Recipe {
    name: "vgpo",
    title: "discounted values of denoising steps, relative in the group and absolute",
    citation: "Anchoring Values in Temporal and Group Dimensions for Flow Matching Model Alignment, arXiv 2512.12387",
    family: "denoising",
    objective: ("flow_grpo", &[]),
    formula: "A_t = Q_t / mean(Q) * (normalize(Q_t, by(group, step)) + k Q_t)",
    fidelity: Fidelity::Reconstructed,
    deviations: "read second-hand: guessed are gamma, k, the population deviation and eps, that Q counts the step's own reward, and that the weight multiplies the whole advantage",
    inputs: &[INPUTS, &[STEP_NEXT_SIGMAS]],
    parameters: &[PARAMETERS, FLOW_EPS],
    plan: |parameters| {
        let value = || signal("step_values_to_go");
        let of_sample = || mean(value(), rollout());
        let weight = when(of_sample().equals(0.0), 1.0, value() / of_sample());
        let anchored = steps_before().less(parameters.number("anchored_steps")?);
        let absolute = when(anchored, parameters.number("k")? * value(), 0.0);
        let rewards = || signal("step_projected_rewards");
        let credit = judged([rewards()])
            .define("step_values_to_go", return_to_go(rewards(), parameters.number("gamma")?))
            .define("step_value_weights", weight);
        let relative = compared_at_step(parameters, value(), group())?;
        Ok(credit
            .advantage(signal("step_value_weights") * (relative + absolute))
            .weights(adds_noise())
            .into())
    },
    ..ADVANTAGE
};

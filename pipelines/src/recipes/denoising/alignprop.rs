//! AlignProp: which denoising steps a differentiable reward is carried back through.

use std::sync::Arc;

use meed_operators::credit::{Credit, STEP, policy, signal};
use meed_operators::signals::FirstGradientStep;

use crate::parameters::{Parameter, parameter};
use crate::parts::steps::{indicator, steps_before};
use crate::recipe::{Fidelity, Plan, Recipe, SELECTION};

const PARAMETERS: &[Parameter] = &[
    parameter(
        "truncation",
        "gaussian",
        "how the first step with a gradient is drawn: gaussian, uniform, fixed (the last step only)",
    ),
    parameter("mean", "0.84", "mean of the gaussian, as a share of the steps: 42 of 50"),
    parameter("std", "0.1", "deviation of the gaussian, as a share of the steps: 5 of 50"),
    parameter("seed", "0", "of the draw"),
    parameter(
        "loss",
        "shortfall",
        "what is minimised: shortfall (1 - r), negative (-scale r), distance (scale |r - target|)",
    ),
    parameter("loss_weight", "0.01", "factor of the loss"),
    parameter("loss_scale", "1.0", "factor of the reward or distance"),
    parameter("target", "10", "reward that the distance is to"),
];

/// AlignProp: one step `K` is drawn per iteration, and the network's outputs at the steps before it count as
/// constants: `step_gradients` is 1 from `K` on. The linear path through the latents keeps its gradient
/// ([`truncated_gradient`](meed_operators::objectives::denoising::truncated_gradient)). `gradient_losses` is
/// what each sample loses.
///
/// `K` is drawn anew until it is at least 1 and leaves one step; a sample of one step has none.
pub const ALIGNPROP: Recipe = Recipe {
    name: "alignprop",
    title: "randomly truncated backpropagation of a reward through denoising steps",
    citation: "AlignProp: Aligning Text-to-Image Diffusion Models with Reward Backpropagation; mihirp1998/AlignProp",
    family: "denoising",
    formula: "gradient through steps K, ..., T - 1, K ~ round(N(0.84 T, 0.1 T))",
    fidelity: Fidelity::Equations,
    deviations: "numbers of steps are shares of the sample's steps, which are the code's at its 50 steps; the gradient itself needs the sampler and a differentiable reward, and is the trainer's",
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let operator = FirstGradientStep::of(
            parameters.text("truncation")?,
            parameters.number("mean")?,
            parameters.number("std")?,
            parameters.number("seed")? as u64,
        );
        let operator =
            operator.ok_or_else(|| parameters.unknown("truncation", &["gaussian", "uniform", "fixed"]))?;
        let (reward, scale) = (signal("reward"), parameters.number("loss_scale")?);
        let loss = match parameters.text("loss")? {
            "shortfall" => 1.0 - reward,
            "negative" => -scale * reward,
            "distance" => scale * (reward - parameters.number("target")?).abs(),
            _ => return Err(parameters.unknown("loss", &["shortfall", "negative", "distance"])),
        };
        let gradients = indicator(steps_before().at_least(signal("first_gradient_step")));
        let credit = Credit::new()
            .define("gradient_losses", parameters.number("loss_weight")? * loss)
            .define("step_gradients", gradients.null_if(policy(STEP).negated()));
        Ok(Plan { operators: vec![Arc::new(operator)], ..credit.into() })
    },
    ..SELECTION
};

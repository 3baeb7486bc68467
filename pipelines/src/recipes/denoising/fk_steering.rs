//! Feynman-Kac steering: weights with which the particles of a prompt are resampled.

use meed_operators::credit::{Credit, group, members, signal, sum, value, when};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::steps::indicator;
use crate::recipe::{Fidelity, Recipe, SELECTION};

const INPUTS: &[Input] = &[
    input(
        "previous_reward",
        Of::Number,
        "the particle's reward at the last step with resampling; null at the first",
        "what resampling carried over for the particle: `particle_reward` of the one that went on",
    ),
    input(
        "weight_product",
        Of::Number,
        "product of the particle's weights so far; null at the first step",
        "what resampling carried over for the particle: its product times its weight",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter("potential", "max", "max, add, diff (gain since the last resampling), rt (the reward alone)"),
    parameter("lambda", "10", "how sharply rewards are preferred"),
    parameter(
        "adaptive",
        "false",
        "resample only where the effective sample size is below half of the particles",
    ),
    parameter("last", "false", "this is the last step: weights are divided by the product of those before"),
    parameter("first_reward", "0", "reward before the first step; lower where rewards may be negative"),
];

/// FK steering: `w = exp(lambda (r - r_prev))` (diff), `exp(lambda r)` with `r` the greatest reward so far (max),
/// their sum (add) or the reward itself (rt); at the last step over the product of the weights before, but for
/// diff. Weights are at most 1e10, and all 1 where all are 0.
///
/// A group is the particles of one prompt at one step, `reward` that of the clean sample which the particle
/// predicts. `effective_sample_size = 1 / sum share^2` with `share = w / sum w`. Who goes on in the place of whom is
/// drawn by [`resampled`](meed_operators::objectives::denoising::resampled).
pub const FK_STEERING: Recipe = Recipe {
    name: "fk_steering",
    title: "resampling weights of denoising particles",
    citation: "A General Framework for Inference-time Scaling and Steering of Diffusion Models; zacharyhorvitz/Fk-Diffusion-Steering",
    family: "denoising",
    formula: "w = exp(lambda max(r, r_prev)), resampled by w",
    fidelity: Fidelity::Equations,
    deviations: "as the code, where adaptive resampling that is skipped loses the step's weights, and the last step of max and add has the running maximum or sum above the product; where all weights are 0 they are equal, as in the text version, whose potentials that wait for the last step (BON, IS) are not here",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let first = parameters.number("first_reward")?;
        let (reward, before) = (|| signal("reward"), || signal("previous_reward").or_else(first));
        let lambda = parameters.number("lambda")?;
        let last = parameters.boolean("last")?;
        let (carried, exponent, divided) = match parameters.text("potential")? {
            "diff" => (reward(), reward() - before(), false),
            "max" => (reward().max(before()), signal("particle_reward"), last),
            "add" => (reward() + before(), signal("particle_reward"), last),
            "rt" => (reward(), reward(), last),
            _ => return Err(parameters.unknown("potential", &["max", "add", "diff", "rt"])),
        };
        let weight = (lambda * exponent).clamp(-700.0, 700.0).exp();
        let weight = if divided { weight / signal("weight_product").or_else(1.0) } else { weight };
        let (weights, share) = (|| signal("resampling_weights"), || signal("resampling_share"));
        let size = || signal("effective_sample_size");
        let none = || sum(signal("particle_weight"), group()).equals(0.0);
        let uneven = size().less(0.5 * members(weights(), group()));
        let resamples = if parameters.boolean("adaptive")? || last {
            indicator(uneven)
        } else {
            value(1.0) + 0.0 * size()
        };
        Ok(Credit::new()
            .define("particle_reward", carried)
            .define("particle_weight", weight.clamp(0.0, 1e10))
            .define("resampling_weights", when(none(), 1.0, signal("particle_weight")))
            .define("resampling_share", weights() / sum(weights(), group()))
            .define("effective_sample_size", 1.0 / sum(share().square(), group()))
            .define("resamples", resamples)
            .into())
    },
    ..SELECTION
};

//! Masked thought: supervised training on rollouts of which some input tokens are masked.

use meed_operators::credit::{Credit, TOKEN, progress, random, signal, value};

use crate::parameters::{Parameter, parameter};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter("probability", "0.2", "that an input token is masked, once warm; 0 is plain training"),
    parameter("warm_up", "0", "iterations in which it rises from 0; the authors count update steps"),
    parameter("seed", "0", "of the draws"),
];

/// `token_masked` is true at the tokens of the target that are to be replaced by the mask token where the
/// model reads them; as labels they stay, so every target token has weight 1 in the likelihood.
///
/// A draw is a function of seed, iteration, group, rollout and position: another iteration masks other
/// tokens, another order of rows does not. Meant for rollouts that passed a verifier (rejection sampling).
pub const MASKED_THOUGHT: Recipe = Recipe {
    name: "masked_thought",
    title: "likelihood of rollouts of which a share of the input tokens is masked",
    citation: "Chen et al. 2024, Masked Thought, arXiv 2403.02178; ChangyuChen347/MaskedThought",
    family: "tokens",
    objective: ("negative_log_likelihood", &[]),
    formula: "A = 1; token_masked = random < probability * min(iteration / warm_up, 1)",
    fidelity: Fidelity::Equations,
    deviations: "the warm-up counts iterations; the draws are counter-based, so they are not those of the authors' generator",
    inputs: &[],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let warm_up = parameters.number("warm_up")?;
        let seed = parameters.get("seed").as_u64();
        let seed = seed.ok_or_else(|| parameters.unknown("seed", &["a whole number"]))?;
        let probability = parameters.number("probability")? * progress(0.0, warm_up);
        Ok(Credit::new()
            .define("masking_probability", probability)
            .define("token_masked", random(TOKEN, seed).less(signal("masking_probability")))
            .advantage(value(1.0))
            .into())
    },
    ..ADVANTAGE
};

//! TempFlow-GRPO: branches of one denoising step, compared with the branches of the same step.

use meed_operators::credit::{Credit, group, normalize, signal};

use crate::inputs::{Input, Of, input, whole};
use crate::parameters::{Parameter, parameter};
use crate::parts::denoising::{FLOW_EPS, flow_norm};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[
    whole(
        "step_index",
        Of::Count,
        "number of the one stochastic step of the sample; all other steps are deterministic",
        "a sampler that branches at one step, on import",
    ),
    input("seed_id", Of::Text, "the initial noise that the sample starts from", "the sampler, on import"),
];

const PARAMETERS: &[Parameter] = &[parameter(
    "group",
    "seed, step",
    "seed, step: branches of one latent are compared; prompt, step: those of all initial noises of the prompt",
)];

/// TempFlow-GRPO: `A = (r - mean) / (std + eps)` over the samples that branch off at the same step. Whatever
/// follows is deterministic, so that the reward is all the branch's.
///
/// A row is one branch, and its only position is the stochastic step. Noise-aware weights, the share of
/// steps with different numbers of branches, and the mask of rows with advantage 0 are the objective's.
pub const TEMPFLOW_GRPO: Recipe = Recipe {
    name: "tempflow_grpo",
    title: "branches of a denoising step, compared with those of the same step",
    citation: "He et al. 2025, TempFlow-GRPO, arXiv 2508.04324",
    family: "denoising",
    objective: ("tempflow_grpo", &[]),
    formula: "A = (r - mean) / (std + 1e-4), by (seed, step)",
    fidelity: Fidelity::Equations,
    deviations: "equal by golden numbers to a program derived from the authors', whose own repository holds no code",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, FLOW_EPS],
    plan: |parameters| {
        let at_step = group().and(signal("step_index"));
        let by = match parameters.text("group")? {
            "seed, step" => at_step.and(signal("seed_id")),
            "prompt, step" => at_step,
            _ => return Err(parameters.unknown("group", &["seed, step", "prompt, step"])),
        };
        let norm = flow_norm(parameters, by.clone(), by)?;
        Ok(Credit::new().advantage(normalize(signal("reward"), &norm)).into())
    },
    ..ADVANTAGE
};

//! DanceGRPO: the reward of a sample in its group, on a random part of its denoising steps.

use meed_operators::credit::{Center, Scale};
use meed_operators::credit::{Credit, Norm, batch, group, normalize, signal};

use crate::parameters::{Parameter, parameter};
use crate::parts::denoising::{DRAWN_STEPS, drawn_steps};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter("use_group", "true", "compare in the group; false: in the whole batch"),
    parameter("eps", "1e-8", "added to the deviation"),
];

/// DanceGRPO: `A = (r - mean) / (std + eps)` with the sample deviation, on `floor((T - 1) fraction)` steps that
/// are drawn per sample from all but the last.
pub const DANCE_GRPO: Recipe = Recipe {
    name: "dance_grpo",
    title: "group-relative reward on a random part of the denoising steps",
    citation: "Xue et al. 2025, DanceGRPO, arXiv 2505.07818; XueZeyue/DanceGRPO",
    family: "denoising",
    objective: ("dance_grpo", &[]),
    formula: "A_t = (r - mean(r)) / (std(r) + 1e-8) at drawn steps",
    fidelity: Fidelity::Reference,
    deviations: "a group of one gets 0, where the program gives NaN; which steps are drawn depends on seed, iteration and rollout, not on a generator's state",
    parameters: &[PARAMETERS, DRAWN_STEPS],
    plan: |parameters| {
        let by = if parameters.boolean("use_group")? { group() } else { batch() };
        let norm = Norm {
            center: Center::Mean(by.clone()),
            scale: Scale::Std(by),
            ..Norm::group_std(parameters.number("eps")?)
        };
        let credit = Credit::new().advantage(normalize(signal("reward"), &norm));
        Ok(credit.weights(drawn_steps(parameters)?).into())
    },
    ..ADVANTAGE
};

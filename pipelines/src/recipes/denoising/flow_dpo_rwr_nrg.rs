//! VideoAlign: which samples of a prompt are preferred, or how much each is imitated.

use meed_operators::credit::{Credit, group, maximum, minimum, rank, signal};

use crate::parameters::{Parameter, parameter};
use crate::parts::steps::indicator;
use crate::recipe::{Fidelity, Recipe, SELECTION};

const PARAMETERS: &[Parameter] = &[
    parameter(
        "variant",
        "dpo",
        "dpo: the best sample of the prompt against the worst; rwr: all, weighted by reward",
    ),
    parameter(
        "weight",
        "exp",
        "weight under rwr: exp (of the reward), raw (the reward itself, as flow_grpo has it)",
    ),
];

/// Flow-DPO takes the best sample of a prompt as the winner (1) and the worst as the loser (-1), Flow-RWR all
/// samples with weight `exp(r)`; the objectives `flow_dpo` and `rwr` train on them. Flow-NRG steers the
/// sampler: [`negative_reward_guidance`](meed_operators::objectives::denoising::negative_reward_guidance).
/// Its rewards come of a model of preferences with ties: the objective `bradley_terry_ties`.
pub const FLOW_DPO_RWR_NRG: Recipe = Recipe {
    name: "flow_dpo_rwr_nrg",
    title: "pairs or weights of samples for flow models",
    citation: "Liu et al. 2025, Improving Video Generation with Human Feedback, arXiv 2501.13918, equations 6, 9 and 11; yifan123/flow_grpo",
    family: "denoising",
    objective: ("flow_dpo", &[]),
    formula: "1 for argmax r, -1 for argmin r; or exp(r)",
    fidelity: Fidelity::Equations,
    deviations: "a group of equal rewards has no pair, where the code makes one of its first two samples; of equals the first is taken",
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let reward = || signal("reward");
        let place = |ascending: bool| rank(reward(), group(), ascending).equals(0.0);
        let differ = || maximum(reward(), group()).greater(minimum(reward(), group()));
        let credit = match parameters.text("variant")? {
            "dpo" => Credit::new()
                .define("chosen", indicator(place(false).and(differ())))
                .define("rejected", indicator(place(true).and(differ())))
                .define("selection", signal("chosen") - signal("rejected")),
            "rwr" => match parameters.text("weight")? {
                "exp" => Credit::new().define("selection", reward().exp()),
                "raw" => Credit::new().define("selection", reward()),
                _ => return Err(parameters.unknown("weight", &["exp", "raw"])),
            },
            _ => return Err(parameters.unknown("variant", &["dpo", "rwr"])),
        };
        Ok(credit.into())
    },
    ..SELECTION
};

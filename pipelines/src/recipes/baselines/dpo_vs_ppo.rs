//! PPO with the conventions of "Unpacking DPO and PPO".

use meed_operators::credit::{Credit, TOKEN, signal, when};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::dense::{ESTIMATE, estimated};
use crate::parts::steps::where_used;
use crate::parts::whitening::{WHITEN_ON, whitening_with};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};
use crate::recipes::process::inputs::TOKEN_VALUES;

const INPUTS: &[Input] = &[
    input(
        "ends_with_eos",
        Of::Flag,
        "whether the response ends with the end-of-sequence token",
        "the sampler, or an import that carries it",
    ),
    TOKEN_VALUES,
];

const PARAMETERS: &[Parameter] = &[
    parameter("gain", "1.0", "the reward is multiplied by it"),
    parameter("bias", "0.0", "and this is added"),
    parameter("unfinished", "-10.0", "score of a response that does not end"),
    ESTIMATE[0],
    ESTIMATE[1],
    Parameter { default: "0.95", ..ESTIMATE[2] },
    Parameter { default: r#"{"coef": 0.05}"#, ..ESTIMATE[3] },
];

/// `r_t = -0.05 (log p - log p_ref)_t + [t last] score`, `score` the reward model's, or -10 where the response does
/// not end, scored or not; `A = GAE(gamma 1, lambda 0.95)`, `returns = A + V`, and `A` whitened over the tokens of the batch, with
/// the unbiased variance and 1e-6 inside the root.
///
/// A batch of one token has no deviation, and no advantage.
pub const DPO_VS_PPO: Recipe = Recipe {
    name: "dpo_vs_ppo",
    title: "PPO on a reward model's score, with the conventions of the study of DPO and PPO",
    citation: "Ivison et al. 2024, Unpacking DPO and PPO, arXiv 2406.09279; hamishivi/EasyLM",
    family: "baselines",
    objective: ("ppo_clip", &[("value_coef", "0.1"), ("value_clip", "0.2")]),
    formula: "r_t = -kl_t + [t last] score; A = whiten(GAE(r, V))",
    fidelity: Fidelity::Equations,
    deviations: "its DPO is the objective dpo",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, &[WHITEN_ON], &whitening_with("1e-6")],
    plan: |parameters| {
        let score = parameters.number("gain")? * where_used(signal("reward")) + parameters.number("bias")?;
        let score = when(signal("ends_with_eos"), score, parameters.number("unfinished")?);
        let credit = Credit::new().define("score", score);
        Ok(estimated(parameters, credit, signal("score").at_last(TOKEN))?.into())
    },
    ..ADVANTAGE
};

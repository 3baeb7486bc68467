//! DelTA: tokens weighted by how well they tell good rollouts from bad ones.

use std::sync::Arc;

use meed_operators::credit::{Credit, batch, members, signal, sum, when};
use meed_operators::signals::Discriminant;

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::group::{GROUP, group_advantage};
use crate::recipe::{ADVANTAGE, Fidelity, Plan, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter("refinements", "1", "how often the centroids are refined"),
    parameter("weight_low", "0.8", "weight of the least telling token, before the mean is made 1"),
    parameter("weight_high", "1.2", "weight of the most telling token"),
    parameter(
        "floor",
        "1e-8",
        "least total weight of a centroid, and least variance of the differences of squared distances",
    ),
    parameter(
        "advantage",
        "null",
        "null: the group-relative advantage; else the rollout column that holds it",
    ),
];

const INPUTS: &[Input] = &[
    input(
        "token_hidden_states",
        Of::Vectors,
        "last hidden state of the policy, the one that predicts the token",
        "a forward pass that keeps hidden states; import rollouts that carry them",
    ),
    input("token_old_logprobs", Of::Number, "log-probability of the token", "the sampler records it"),
];

/// DelTA: `A_t = A l_t` with `l_t = low + (high - low) sigmoid(d_t / scale)`, made 1 on average over the
/// batch's trainable tokens. `d_t` is how much nearer `v_t = (1 - p_t) h_t` is to the centroid of its own
/// side (advantages of its sign) than to that of the other. Tokens of rollouts with advantage 0 have the low
/// weight.
///
/// Statistics are those of the whole iteration, where the program takes a worker's share.
pub const DELTA_TOKEN: Recipe = Recipe {
    name: "delta_token",
    title: "group-relative advantage on tokens that tell good rollouts from bad ones",
    citation: "DelTA; RUCBM/DelTA compute_log_prob_h",
    family: "tokens",
    objective: ("dapo", &[("dual_clip", "10")]),
    formula: "A_t = A * l_t / mean(l); l_t = low + (high - low) * sigmoid((|v_t - mu_other|^2 - |v_t - mu_own|^2) / scale)",
    fidelity: Fidelity::Reference,
    deviations: "statistics over the iteration, not over a worker's share of it; environment tokens do not count, where the repository passes the attention mask",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, GROUP],
    plan: |parameters| {
        let advantage = match parameters.text("advantage")? {
            "" => group_advantage(parameters, signal("reward"))?,
            column => signal(column),
        };
        let inputs = Credit::new()
            .define("group_advantage", advantage.clone())
            .define("token_factors", 1.0 - signal("token_old_logprobs").exp());
        let (low, high) = (parameters.number("weight_low")?, parameters.number("weight_high")?);
        let telling = (signal("token_discriminant") / signal("discriminant_scale")).sigmoid();
        let neither = signal("group_advantage").equals(0.0);
        let raw = || signal("token_raw_weights");
        let credit = Credit::new()
            .define("group_advantage", advantage)
            .define("token_raw_weights", when(neither, low, low + (high - low) * telling))
            .define("token_weights", raw() * members(raw(), batch()) / sum(raw(), batch()))
            .advantage(signal("group_advantage") * signal("token_weights"));
        let discriminant = Discriminant {
            vectors: "token_hidden_states".into(),
            inputs,
            refinements: usize::from(parameters.small("refinements")?),
            floor: parameters.number("floor")?,
        };
        Ok(Plan { gathers: vec![Arc::new(discriminant)], credit, ..Plan::default() })
    },
    ..ADVANTAGE
};

//! LaRe: the return of an episode, decomposed into rewards of its steps from what a language model finds relevant.

use std::sync::Arc;

use meed_operators::credit::{Credit, Reduction, STEP, signal};
use meed_operators::signals::{GatherSignals, ReturnDecomposition};

use crate::inputs::{Input, Of, input, pairs};
use crate::parameters::{Parameter, parameter};
use crate::parts::shaped::{all_known, complete};
use crate::parts::steps::policy_steps;
use crate::recipe::{Fidelity, Plan, REWARD, Recipe};

const INPUTS: &[Input] = &[
    input(
        "step_proxy_rewards",
        Of::Number,
        "reward that a trained decoder gives each step (decoder=given)",
        "train a decoder of step factors with the objective `lare` and store what it gives, or take decoder=linear",
    ),
    pairs(
        "step_agent_proxy_rewards",
        Of::Number,
        "the same for each agent of the step (decoder=agents)",
        "train a decoder of the factors of one agent with the objective `lare`",
    ),
    pairs(
        "step_factor_values",
        Of::Number,
        "factors of each step, a list of numbers in the same order everywhere (decoder=linear)",
        "functions that a language model wrote, executed on each step, or any judge of steps",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter(
        "decoder",
        "given",
        "given: step_proxy_rewards; agents: summed over the agents of a step; linear: fitted to the iteration's returns",
    ),
    parameter("ridge", "1e-6", "of decoder=linear: weight of the penalty on its weights"),
];

/// LaRe: a decoder `f` of step factors is trained to `(mean_t f(phi_t) - R / T)^2`, and the step reward is
/// `f(phi_t)` in the place of the return.
///
/// `decomposition_losses` holds that loss of each rollout; the rewards add up to the return only as far as it is
/// small. T counts policy steps.
pub const LARE: Recipe = Recipe {
    name: "lare",
    title: "step rewards from factors, decoded so that they add up to the return",
    citation: "Qu et al. 2024, Latent Reward, arXiv 2412.11120; thu-rllab/LaRe",
    family: "redistribution",
    formula: "r_t = f(phi_t), f = argmin mean((mean_t f(phi_t) - R / T)^2)",
    fidelity: Fidelity::Equations,
    deviations: "the decoder that is fitted here is linear where the authors' is a network of three layers, which the objective lare trains elsewhere; asking for factor functions and checking them is no credit",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let mut gathers: Vec<Arc<dyn GatherSignals>> = Vec::new();
        let rewards = match parameters.text("decoder")? {
            "given" => signal("step_proxy_rewards"),
            "agents" => {
                let of_agents = || signal("step_agent_proxy_rewards");
                of_agents().reduce(STEP, Reduction::Sum) + all_known(of_agents(), STEP)
            }
            "linear" => {
                gathers.push(Arc::new(ReturnDecomposition {
                    factors: "step_factor_values".into(),
                    reward: signal("reward"),
                    ridge: parameters.number("ridge")?,
                }));
                signal("step_decomposed_rewards")
            }
            _ => return Err(parameters.unknown("decoder", &["given", "agents", "linear"])),
        };
        let gap = complete(rewards.clone(), Reduction::Mean, None) - signal("reward") / policy_steps();
        let credit = Credit::new().define("decomposition_losses", gap.square());
        Ok(Plan { gathers, ..credit.define("step_shaped_rewards", rewards).into() })
    },
    ..REWARD
};

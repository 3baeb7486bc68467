//! ReFT: PPO with a critic on answers that are right, wrong, or not there.

use meed_operators::Result;
use meed_operators::credit::{Credit, gae, if_present, mask, signal, trainable, value, when};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::divergence::log_ratio;
use crate::parts::whitening::{WHITEN_ON, WHITENING, whitened};
use crate::recipe::{Fidelity, Plan, Recipe};

const INPUTS: &[Input] = &[
    input(
        "answer_found",
        Of::Flag,
        "whether a numeric answer can be read from the response, right or wrong; without the column none can where it is wrong",
        "a judge such as `regex`, or an import",
    ),
    input(
        "token_values",
        Of::Number,
        "the critic's value before each token",
        "train with a value model, or import rollouts that carry values",
    ),
    input(
        "token_ref_logprobs",
        Of::Number,
        "log-probability under the reference policy",
        "score the rollouts under the reference policy with `judge`, or import them",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter("partial_reward", "0.1", "reward of an answer that can be read but is wrong"),
    parameter("beta", "0.05", "coefficient of the divergence per token; 0.01 for programs as thoughts"),
    parameter("gamma", "1.0", "discount per token"),
    parameter("lam", "0.95", "lambda"),
];

/// ReFT: token rewards `-beta (log pi_old - log pi_ref)` with 1, 0.1 or 0 at the last token, GAE, and
/// advantages whitened over the batch.
///
/// `reward` is 1 where the answer is right. Environment tokens are no steps. The reference's argument
/// `shift_mean = False` means that the mean is not added back.
pub const REFT: Recipe = Recipe {
    name: "reft",
    title: "PPO with a critic, a divergence per token and a partial reward for wrong answers",
    citation: "ReFT: Reasoning with Reinforced Fine-Tuning; lqtrung1998/mwp_ReFT train_rl_reft.py",
    family: "outcome",
    objective: (
        "ppo_clip",
        &[("aggregate", "seq_mean_token_mean"), ("value_coef", "5"), ("value_clip", "0.2")],
    ),
    formula: "A = whiten(gae(-beta (log pi_old - log pi_ref) + terminal, V, 1, 0.95))",
    fidelity: Fidelity::Equations,
    deviations: "a rollout without a verdict is left out, where the reference gives 0",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, &[WHITEN_ON], WHITENING],
    plan,
    ..crate::recipe::ADVANTAGE
};

fn plan(parameters: &Parameters) -> Result<Plan> {
    let found = if_present(signal("answer_found").equals(1.0), value(1.0).equals(0.0));
    let wrong = when(found, parameters.number("partial_reward")?, 0.0);
    let terminal = when(signal("reward").equals(1.0), 1.0, wrong);
    let penalty = parameters.number("beta")? * log_ratio();
    let estimate = gae(
        signal("token_rewards"),
        signal("token_values"),
        parameters.number("gamma")?,
        parameters.number("lam")?,
        trainable(),
    );
    Ok(Credit::new()
        .define("rewards", terminal)
        .define(
            "token_rewards",
            when(mask(), signal("rewards").at_last(meed_operators::credit::TOKEN) - penalty, 0.0),
        )
        .define("token_gae", estimate)
        .returns(signal("token_gae") + signal("token_values"))
        .advantage(whitened(parameters, signal("token_gae"))?)
        .into())
}

//! Target decoupling: one advantage per discount, of which the actor follows the longest horizon alone.

use meed_operators::Result;
use meed_operators::credit::{
    Credit, Expr, Level, ROLLOUT, Reduction, STEP, batch, index, index_within, mean, rank, rollout, signal,
    softmin, trainable, values, when,
};

use crate::inputs::{Input, Of, items, pairs};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::dense::discounted_gae;
use crate::parts::episodes::{STEP_DONES, unless_done};
use crate::parts::shaped::complete;
use crate::parts::steps::{indicator, judged};
use crate::parts::whitening::standardised;
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[
    pairs(
        "step_head_values",
        Of::Number,
        "value of the step's state under each head, in the order of gammas",
        CRITIC,
    ),
    items(
        "head_bootstrap_values",
        Of::Number,
        "value after the last step under each head; 0 where the episode has ended",
        CRITIC,
    ),
    pairs(
        "step_head_attention",
        Of::Share,
        "attention of the actor to each head (variant=attention)",
        CRITIC,
    ),
    STEP_DONES,
];
const CRITIC: &str = "a critic with one value head per discount; import rollouts that carry it";

const PARAMETERS: &[Parameter] = &[
    parameter("gammas", "[0.5, 0.9, 0.99, 0.999]", "discounts, one per head"),
    parameter("lam", "0.95", "lambda"),
    parameter(
        "variant",
        "decoupled",
        "decoupled: the actor follows one head; error_routing: heads weighted by softmax(-|V - R| / temperature); attention: by step_head_attention (the last two are shown to fail)",
    ),
    parameter("actor_head", "null", "head that the actor follows, from 0; null: the last"),
    parameter("temperature", "10.0", "of error_routing"),
    parameter("eps", "1e-8", "added to the sample deviation over the steps of the batch"),
];

/// Target decoupling: for each head `k` generalised advantage estimation with `gamma_k`, `R^k = A^k + V^k`; the
/// actor's advantage is that of the longest horizon, standardised over the steps of the batch.
///
/// The other heads' returns are what their value losses regress on. `hack_rate` is the share of steps whose
/// greatest attention is on the greatest advantage. The gradient into the attention is no part of credit.
pub const TARGET_DECOUPLING: Recipe = Recipe {
    name: "target_decoupling",
    title: "the actor follows the longest of several horizons",
    citation: "Representation over Routing, arXiv 2604.13517; ben-dlwlrma/Representation-Over-Routing",
    family: "turns",
    objective: ("target_decoupling", &[]),
    formula: "A^k = GAE(r, V^k, gamma_k, lambda); A = (A^K - mean) / (std + eps)",
    fidelity: Fidelity::Reference,
    deviations: "the batch is standardised, where the reference takes its minibatches",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let gammas = parameters.numbers("gammas")?.unwrap_or_default();
        let Some(last) = gammas.len().checked_sub(1) else {
            return Err(parameters.unknown("gammas", &["one discount per head"]));
        };
        let (rewards, heads) = (|| signal("step_rewards"), || signal("step_head_values"));
        let after = || signal("head_bootstrap_values");
        let discount = unless_done(1.0) * values("head", gammas).spread(head());
        let lam = parameters.number("lam")?;
        let estimate = discounted_gae(rewards(), heads(), after(), discount, lam, trainable());
        let read = [rewards(), unless_done(1.0), heads(), complete(after(), Reduction::Sum, None)];
        let credit = judged(read)
            .define("step_head_advantages", estimate)
            .define("step_head_returns", signal("step_head_advantages") + heads());
        let (credit, actor) = actor(parameters, credit, last)?;
        Ok(credit.advantage(standardised(actor, 1, parameters.number("eps")?)).into())
    },
    ..ADVANTAGE
};

/// One value per head in each step.
fn head() -> Level {
    Level::pair(&STEP, "head")
}

fn actor(parameters: &Parameters, credit: Credit, last: usize) -> Result<(Credit, Expr)> {
    let advantages = || signal("step_head_advantages");
    let by_step = || rollout().and(index(STEP));
    let weighted = |weights: &str| (signal(weights) * advantages()).reduce(STEP, Reduction::Sum);
    Ok(match parameters.text("variant")? {
        "decoupled" => {
            let followed = parameters.optional_number("actor_head")?.unwrap_or(last as f64);
            if followed.fract() != 0.0 || !(0.0..=last as f64).contains(&followed) {
                return Err(parameters.unknown("actor_head", &["the position of one of gammas, from 0"]));
            }
            let followed = index_within(head(), STEP).equals(followed);
            let of_actor = when(followed, advantages(), 0.0).reduce(STEP, Reduction::Sum);
            (credit.define("step_actor_advantages", of_actor), signal("step_actor_advantages"))
        }
        "error_routing" => {
            let errors = (signal("step_head_values") - signal("step_head_returns")).abs();
            let routing = softmin(errors / parameters.number("temperature")?, by_step());
            (credit.define("step_routing_weights", routing), weighted("step_routing_weights"))
        }
        "attention" => {
            let attention = || signal("step_head_attention");
            let greatest = |x: Expr| rank(x, by_step(), false).equals(0.0);
            let hit = greatest(attention()).and(greatest(advantages())).reduce(STEP, Reduction::Any);
            let entropy = (-(attention() * attention().ln())).reduce(STEP, Reduction::Sum);
            let of_batch = |x: Expr| mean(x, batch()).reduce(ROLLOUT, Reduction::First);
            let credit = credit
                .define("hack_rate", of_batch(indicator(hit)))
                .define("attention_entropy", of_batch(entropy));
            (credit, weighted("step_head_attention"))
        }
        _ => return Err(parameters.unknown("variant", &["decoupled", "error_routing", "attention"])),
    })
}

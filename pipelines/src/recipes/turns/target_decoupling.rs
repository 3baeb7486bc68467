//! Target decoupling: one advantage per discount, of which the actor follows the longest horizon alone.

use meed_operators::Result;
use meed_operators::credit::{
    Credit, Expr, Level, ROLLOUT, Reduction, STEP, batch, index, index_within, mean, rank, rollout, signal,
    softmin, trainable, values, when,
};

use crate::inputs::{Input, Of, items, pairs};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::dense::discounted_gae;
use crate::parts::episodes::{STEP_DONES, bootstrap, unless_done};
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
        "value after the last step under each head; without the column 0",
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
        let (lam, eps) = (parameters.number("lam")?, parameters.number("eps")?);
        let estimate = |head: usize| {
            let rewards = signal("step_rewards");
            let (values, after) = (of_head(head), after(head, gammas.len()));
            discounted_gae(rewards, values, after, unless_done(gammas[head]), lam, trainable())
        };
        let heads = (0..gammas.len()).map(|head| when(is_head(head), estimate(head), 0.0));
        let Some(advantages) = heads.reduce(|sum, head| sum + head) else {
            return Err(parameters.unknown("gammas", &["one discount per head"]));
        };
        let ends = (0..gammas.len()).map(|head| after(head, gammas.len()));
        let values = [signal("step_rewards"), unless_done(1.0), signal("step_head_values")];
        let credit = judged(values.into_iter().chain(ends))
            .define("step_head_advantages", advantages)
            .define("step_head_returns", signal("step_head_advantages") + signal("step_head_values"));
        let (credit, actor) = actor(parameters, credit, gammas.len())?;
        Ok(credit.advantage(standardised(actor, 1, eps)).into())
    },
    ..ADVANTAGE
};

fn is_head(head: usize) -> Expr {
    index_within(Level::pair(&STEP, "head"), STEP).equals(head as f64)
}

fn of_head(head: usize) -> Expr {
    when(is_head(head), signal("step_head_values"), 0.0).reduce(STEP, Reduction::Sum)
}

/// The value after the last step; `values` refuses data with another number of heads.
fn after(head: usize, heads: usize) -> Expr {
    let only = (0..heads).map(|other| if other == head { 1.0 } else { 0.0 }).collect();
    let value = signal("head_bootstrap_values") * values("head", only);
    bootstrap(complete(value, Reduction::Sum, None))
}

fn actor(parameters: &Parameters, credit: Credit, heads: usize) -> Result<(Credit, Expr)> {
    let advantages = || signal("step_head_advantages");
    let by_step = || rollout().and(index(STEP));
    let weighted = |weights: &str| (signal(weights) * advantages()).reduce(STEP, Reduction::Sum);
    Ok(match parameters.text("variant")? {
        "decoupled" => {
            let head = parameters.optional_number("actor_head")?.map_or(heads - 1, |head| head as usize);
            let of_actor = when(is_head(head), advantages(), 0.0).reduce(STEP, Reduction::Sum);
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

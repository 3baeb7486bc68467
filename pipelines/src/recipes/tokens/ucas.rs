//! UCAS: advantages shaped by how certain the policy was of the rollout, and of each token.

use meed_operators::Result;
use meed_operators::credit::{
    Credit, Expr, Norm, ROLLOUT, Reduction, Singleton, TOKEN, all, batch, if_present, maximum, minimum,
    normalize, signal, trainable, value, when,
};

use crate::inputs::{Input, Of, input, pairs};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::group::{GROUP, group_advantage, group_norm};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter("beta_positive", "0.25", "how much certainty shrinks a positive advantage"),
    parameter("beta_negative", "0.35", "how much certainty grows a negative advantage"),
    parameter("token_penalty", "0.05", "taken off a token with the greatest logit of the batch"),
    parameter("logit_eps", "1e-6", "added to the range of the logits"),
    parameter("temperature", "1.0", "of the certainty, where it is computed from token_vocab_logits"),
    parameter(
        "certainty_over",
        "all",
        "tokens whose certainties are summed: all, as in the released code, or trainable",
    ),
];

const INPUTS: &[Input] = &[
    input(
        "token_certainties",
        Of::Number,
        "logsumexp minus mean of the logits over the vocabulary",
        "a forward pass that keeps logits; import rollouts that carry them",
    ),
    pairs(
        "token_vocab_logits",
        Of::Number,
        "logits over the vocabulary, where token_certainties are not given",
        "a forward pass that keeps logits; import rollouts that carry them, or token_certainties",
    ),
    input(
        "token_logits",
        Of::Number,
        "raw logit of the sampled token",
        "a forward pass that keeps logits; import rollouts that carry them",
    ),
];

/// UCAS: `A_t = A m - penalty nl_t`, with `m = exp(-beta+ c)` where `A > 0`, else `exp(beta- c)`; `c` is the
/// certainty of the rollout (the SUM over its tokens) normalised in its group as the reward is, `nl_t` the
/// logit of the token scaled to 0..1 over the batch, 0.5 where all logits are equal. A positive advantage
/// does not fall below 0; one of 0 does: its tokens get the small penalty.
///
/// A group of one has `m = 1`: in the reference its certainty is not centred, so that the modifier depends
/// on its length.
pub const UCAS: Recipe = Recipe {
    name: "ucas",
    title: "group-relative advantage shaped by certainty, with a penalty on confident tokens",
    citation: "UCAS, arXiv 2510.10649; xvolcano02/UCAS compute_ucas_advantage",
    family: "tokens",
    formula: "A_t = A * exp(-b_pos c if A > 0 else b_neg c) - penalty * min_max(logit_t), at least 0 where A > 0",
    fidelity: Fidelity::Reference,
    deviations: "a group of one has modifier 1, and advantage 0 unless singleton=raw, where the reference leaves both uncentred",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, GROUP],
    plan: |parameters| {
        let penalty = parameters.number("token_penalty")?;
        let shaped = || signal("shaped_advantage");
        let credit = Credit::new().define("group_advantage", group_advantage(parameters, signal("reward"))?);
        let credit = modified(parameters, credit)?;
        if penalty == 0.0 {
            return Ok(credit.advantage(shaped()).into());
        }
        let logits = signal("token_logits");
        let (least, most) = (minimum(logits.clone(), batch()), maximum(logits.clone(), batch()));
        let range = most - least.clone();
        let relative = (logits - least) / (range.clone() + parameters.number("logit_eps")?);
        let credit = credit.define("token_relative_logits", when(range.equals(0.0), 0.5, relative));
        let advantage = shaped() - penalty * signal("token_relative_logits");
        Ok(credit.advantage(when(shaped().greater(0.0), advantage.clone().max(0.0), advantage)).into())
    },
    ..ADVANTAGE
};

/// The advantage times its modifier; without betas certainty is not read.
fn modified(parameters: &Parameters, credit: Credit) -> Result<Credit> {
    let (positive, negative) = (parameters.number("beta_positive")?, parameters.number("beta_negative")?);
    let advantage = || signal("group_advantage");
    if positive == 0.0 && negative == 0.0 {
        return Ok(credit.define("shaped_advantage", advantage()));
    }
    let over = match parameters.text("certainty_over")? {
        "all" => all(),
        "trainable" => trainable(),
        _ => return Err(parameters.unknown("certainty_over", &["all", "trainable"])),
    };
    let norm = Norm { singleton: Singleton::Zero, ..group_norm(parameters)? };
    let known = if_present(signal("token_certainties"), certainty(parameters.number("temperature")?));
    let unknown = signal("token_certainties").is_null().reduce(ROLLOUT, Reduction::Any).over(over.clone());
    let certainty = signal("token_certainties").reduce(ROLLOUT, Reduction::Sum).over(over)
        + value(0.0).null_if(unknown.empty(0.0));
    let certainty = normalize(certainty, &norm);
    let modifier = (certainty * when(advantage().greater(0.0), -positive, negative)).exp();
    Ok(credit
        .define("token_certainties", known)
        .define("modifier", modifier)
        .define("shaped_advantage", advantage() * signal("modifier")))
}

/// `logsumexp(z) - mean(z)` over the vocabulary, with `z = logits / temperature`.
fn certainty(temperature: f64) -> Expr {
    let scaled = signal("token_vocab_logits") / temperature;
    let over_vocabulary = |x: Expr, reduction| x.reduce(TOKEN, reduction).over(all());
    let most = over_vocabulary(scaled.clone(), Reduction::Max);
    let powers = over_vocabulary((scaled.clone() - most.clone()).exp(), Reduction::Sum);
    most + powers.ln() - over_vocabulary(scaled, Reduction::Mean)
}

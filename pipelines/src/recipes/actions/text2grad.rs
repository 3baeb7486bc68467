//! Text2Grad: PPO on scores of words that a critique names.

use std::sync::Arc;

use meed_operators::Result;
use meed_operators::credit::{
    Credit, Expr, ROLLOUT, Reduction, Running, TOKEN, all, batch, gae, mask, mean, signal, value, when,
    whiten,
};
use meed_operators::signals::AlignWords;

use crate::inputs::{Input, Of, input, items};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::divergence::log_ratio;
use crate::recipe::{ADVANTAGE, Fidelity, Plan, Recipe};

const JUDGE: &str =
    "a judge that writes a critique and a list of words with scores; null where it cannot be read";

const INPUTS: &[Input] = &[
    items("word_texts", Of::Text, "words of the response, in order", JUDGE),
    items("word_scores", Of::Number, "1 in a praised span, -1 in a criticised one, 0 elsewhere", JUDGE),
    input(
        "token_texts",
        Of::Text,
        "text of each token",
        "import with texts of tokens, or with `--tokenizer`",
    ),
    input(
        "token_values",
        Of::Number,
        "value before each token",
        "a critic: train with a value model, or import rollouts that carry values",
    ),
    input(
        "token_vocab_logprobs",
        Of::Vectors,
        "log-probabilities of every token of the vocabulary under the policy, for kl: full",
        "the learner; import them",
    ),
    input(
        "token_vocab_ref_logprobs",
        Of::Vectors,
        "the same under the reference policy",
        "the learner; import them",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter("match_attempts", "5", "at how many tokens a word is sought; 6 in the variant for code"),
    parameter("length_weight", "true", "scores fade with the tokens since the first scored one (summaries)"),
    parameter("length_alpha", "1", "slope of the fading"),
    parameter("length_limit", "48", "tokens after which scores fade"),
    parameter("kl", "k1", "divergence from the reference: k1, abs, k2, full (over the vocabulary)"),
    parameter("kl_coef", "0.2", "its coefficient in the reward; 0 needs no reference"),
    parameter("gamma", "1.0", "discount per token"),
    parameter("lam", "0.95", "lambda"),
    parameter("whiten_rewards", "false", "true: rewards are whitened over the batch, their mean kept"),
];

/// Text2Grad: each word's score on its tokens, less the divergence, then GAE and whitening over the batch.
///
/// Words are matched to tokens greedily (see [`AlignWords`]). Environment tokens reset GAE: neither value nor
/// advantage passes over them, as released. A response in which no word is scored fades from its first token on,
/// which changes nothing, since there is nothing to fade.
pub const TEXT2GRAD: Recipe = Recipe {
    name: "text2grad",
    title: "word scores of a critique as token rewards, generalised advantage estimation",
    citation: "Wang et al. 2025, Text2Grad, arXiv 2505.22338",
    family: "actions",
    objective: ("text2grad", &[]),
    formula: "r_t = score(word of t) / (1 + exp(clip(alpha (p_t - limit) - 6, -10, 6))) - kl_coef KL_t; A = whiten(gae(r, V))",
    fidelity: Fidelity::Reference,
    deviations: "as released; kl_coef does not adapt by itself",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan,
    ..ADVANTAGE
};

fn plan(parameters: &Parameters) -> Result<Plan> {
    let attempts = usize::from(parameters.small("match_attempts")?);
    let weights = if parameters.boolean("length_weight")? {
        length_weights(parameters.number("length_alpha")?, parameters.number("length_limit")?)
    } else {
        value(1.0).spread(TOKEN)
    };
    let mut rewards = signal("token_word_scores") * signal("token_length_weights");
    let coefficient = parameters.number("kl_coef")?;
    if coefficient != 0.0 {
        rewards = rewards - coefficient * divergence(parameters)?;
    }
    let credit = Credit::new()
        .define("token_word_scores", signal("token_aligned_scores"))
        .define("skipped_words", signal("skipped_words"))
        .define("token_length_weights", weights)
        .define("token_rewards", when(mask(), rewards, 0.0))
        .define("values", when(mask(), signal("token_values"), 0.0));
    let rewards = if parameters.boolean("whiten_rewards")? {
        whiten(signal("token_rewards"), 1e-8) + mean(signal("token_rewards"), batch())
    } else {
        signal("token_rewards")
    };
    let goes_on = mask().shift(-1, Some(value(0.0).equals(1.0))).over(all());
    let advantages = gae(
        rewards,
        signal("values"),
        parameters.number("gamma")?,
        parameters.number("lam")? * when(goes_on, 1.0, 0.0),
        all(),
    );
    let credit = credit
        .define("gae", advantages)
        .returns(signal("gae") + signal("values"))
        .advantage(whiten(signal("gae"), 1e-8));
    Ok(Plan { operators: vec![Arc::new(AlignWords { attempts })], credit, ..Plan::default() })
}

/// `1 / (1 + exp(clip(alpha (p - limit) - 6, -10, 6)))` at the p-th token from the first scored one on, 1 before.
fn length_weights(alpha: f64, limit: f64) -> Expr {
    let scored = || signal("token_word_scores").differs(0.0);
    let none = scored().reduce(ROLLOUT, Reduction::Any).over(all()).empty(0.0).negated();
    let begun = || scored().scan(Running::Max).over(all()).greater(0.0).or(none.clone());
    let position = begun().scan(Running::Sum).over(all());
    let weight = (-(alpha * (position - limit) - 6.0).clamp(-10.0, 6.0)).sigmoid();
    when(begun(), weight, 1.0)
}

/// Divergence of the policy from the reference at each token.
fn divergence(parameters: &Parameters) -> Result<Expr> {
    Ok(match parameters.text("kl")? {
        "k1" => log_ratio(),
        "abs" => log_ratio().abs(),
        "k2" => 0.5 * log_ratio().square(),
        "full" => {
            let policy = || signal("token_vocab_logprobs");
            let terms = policy().exp() * (policy() - signal("token_vocab_ref_logprobs"));
            terms.reduce(TOKEN, Reduction::Sum).over(all())
        }
        _ => return Err(parameters.unknown("kl", &["k1", "abs", "k2", "full"])),
    })
}

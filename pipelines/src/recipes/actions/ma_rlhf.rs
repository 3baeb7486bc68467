//! MA-RLHF: generalised advantage estimation over macro actions.

use std::sync::Arc;

use meed_operators::Result;
use meed_operators::credit::{
    Credit, Expr, Level, Reduction, Running, TOKEN, all, count_within, gae, index_within, mask, signal,
    value, when,
};
use meed_operators::signals::{MacroActions, Termination};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::divergence::log_ratio;
use crate::recipe::{ADVANTAGE, Fidelity, Plan, Recipe};

const INPUTS: &[Input] = &[
    input(
        "token_values",
        Of::Number,
        "value before each token",
        "a critic: train with a value model, or import rollouts that carry values",
    ),
    input(
        "token_perplexities",
        Of::Number,
        "perplexity of the policy at each token, for termination perplexity",
        "import it with the rollouts; the released code takes it from the logits of the sampling policy",
    ),
    input(
        "parse_ends",
        Of::Count,
        "exclusive token offsets of consecutive constituents, for termination parsing",
        "a constituency parser: its constituents below the cut-off, with lone tokens joined to the one before",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter(
        "termination",
        "n-gram",
        "what ends a macro action: n-gram, randomized n-gram, perplexity (a rise begins one), parsing (given spans)",
    ),
    parameter("ngram", "5", "trainable tokens of a macro action, for n-gram"),
    parameter(
        "block_sizes",
        "null",
        "sizes of the blocks in order, for randomized n-gram; null: 1, 2, 3, 5, 10, each repeat_times, in drawn order",
    ),
    parameter("repeat_times", "3", "how often each block size comes, where the order is drawn"),
    parameter("seed", "0", "seed of the drawn order"),
    parameter(
        "empty_macro",
        "kept",
        "blocks that come out even before the last token: kept (an empty macro action with value and reward 0 stands there, as released), dropped",
    ),
    parameter(
        "weights",
        "equal",
        "how a macro action's tokens make its value and reward: equal, position (1, 1/2, 1/3, ...), unit (the last token)",
    ),
    parameter("gamma", "1.0", "discount per macro action"),
    parameter("lam", "0.95", "lambda"),
    parameter("kl_coef", "0.05", "coefficient of the log-ratio to the reference in the reward; 0 needs none"),
    parameter("reward_clip", "2.5", "the score is clipped to ± reward_clip"),
];

/// MA-RLHF: values and rewards of tokens are averaged over macro actions, GAE runs over these, and every token
/// has the advantage of its macro action.
///
/// The last trainable token is always a macro action of its own. With `empty_macro: kept` a macro action without
/// tokens may stand before it, with value and reward 0; it leaves advantages as they are only where gamma and
/// lambda are 1. Environment tokens neither count nor carry value or reward; the released code takes the end of a
/// rollout from the number of trainable tokens, so that the score lands too early where there are any, which is
/// not reproduced. `unit` weights, which stop the released code, are as meant.
pub const MA_RLHF: Recipe = Recipe {
    name: "ma_rlhf",
    title: "generalised advantage estimation over macro actions of several tokens",
    citation: "Chai et al. 2024, MA-RLHF, arXiv 2410.02743",
    family: "actions",
    objective: ("ma_rlhf", &[]),
    formula: "delta = mean(r in macro) + gamma V_{next macro} - mean(V in macro); A = delta + gamma lambda A_{next}",
    fidelity: Fidelity::Reference,
    deviations: "environment tokens are no part of macro actions, and the score lands on the last trainable token; repeat_times, which the authors leave open, is 3",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan,
    ..ADVANTAGE
};

fn plan(parameters: &Parameters) -> Result<Plan> {
    let keep_empty = match parameters.text("empty_macro")? {
        "kept" => true,
        "dropped" => false,
        _ => return Err(parameters.unknown("empty_macro", &["kept", "dropped"])),
    };
    let segments = MacroActions { termination: termination(parameters)?, keep_empty };
    let level = || Level::named("macro");
    let clip = parameters.number("reward_clip")?;
    let score = signal("reward").clamp(-clip, clip).at_last(TOKEN);
    let rewards = match parameters.number("kl_coef")? {
        0.0 => score,
        coefficient => when(mask(), score - coefficient * log_ratio(), 0.0),
    };
    let credit = Credit::new()
        .define("macro_starts", signal("macro_ends") - count_within(TOKEN, level()))
        .define("macro_sizes", count_within(TOKEN, level()))
        .define("token_rewards", rewards)
        .define("macro_values", pooled(parameters, signal("token_values"))?)
        .define("macro_rewards", pooled(parameters, signal("token_rewards"))?);
    let advantages = gae(
        signal("macro_rewards"),
        signal("macro_values"),
        parameters.number("gamma")?,
        parameters.number("lam")?,
        all(),
    );
    let credit = credit
        .define("macro_advantages", advantages)
        .define("macro_returns", signal("macro_advantages") + signal("macro_values"))
        .returns(signal("macro_returns"))
        .advantage(signal("macro_advantages"));
    Ok(Plan { operators: vec![Arc::new(segments)], credit, ..Plan::default() })
}

/// What ends a macro action.
fn termination(parameters: &Parameters) -> Result<Termination> {
    let size = |name: &str| match parameters.number(name)? {
        size if size >= 1.0 && size.fract() == 0.0 => Ok(size as usize),
        _ => Err(parameters.unknown(name, &["whole numbers from 1"])),
    };
    Ok(match parameters.text("termination")? {
        "n-gram" => Termination::Ngram(size("ngram")?),
        "randomized n-gram" => match parameters.numbers("block_sizes")? {
            Some(sizes) if sizes.iter().all(|size| *size >= 1.0 && size.fract() == 0.0) => {
                Termination::Blocks(sizes.into_iter().map(|size| size as usize).collect())
            }
            Some(_) => return Err(parameters.unknown("block_sizes", &["a list of whole numbers from 1"])),
            None => Termination::Randomized {
                repeat_times: size("repeat_times")?,
                seed: parameters.number("seed")? as u64,
            },
        },
        "perplexity" => Termination::Rising("token_perplexities".into()),
        "parsing" => Termination::Given("parse_ends".into()),
        _ => {
            let known = ["n-gram", "randomized n-gram", "perplexity", "parsing"];
            return Err(parameters.unknown("termination", &known));
        }
    })
}

/// What a macro action makes of its tokens' values; 0 where it has no token, null where one has no value.
fn pooled(parameters: &Parameters, x: Expr) -> Result<Expr> {
    let unknown = x.clone().is_null().reduce(Level::named("macro"), Reduction::Any).empty(0.0);
    let to = |reduction: Reduction| x.reduce(Level::named("macro"), reduction).empty(0.0);
    let pooled = match parameters.text("weights")? {
        "equal" => to(Reduction::Mean),
        "position" => {
            let first = index_within(TOKEN, Level::named("macro")).equals(0.0);
            to(Reduction::Mean).weighted(1.0 / mask().scan(Running::Count).restarting(first))
        }
        "unit" => to(Reduction::Last),
        _ => return Err(parameters.unknown("weights", &["equal", "position", "unit"])),
    };
    Ok(pooled + value(0.0).null_if(unknown))
}

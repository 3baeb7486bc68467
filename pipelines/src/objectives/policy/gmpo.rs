//! GMPO: the geometric mean of clipped ratios.

use meed_operators::Result;
use meed_operators::objectives::surrogate::unclipped;
use meed_operators::objectives::{Advantages, EntropyMask, Objective, Pool, Selected, Selection, Span};

use crate::objectives::NamedObjective;
use crate::objectives::parts::{ANCHOR, TERMS, WEIGHTS, aggregate_by, policy};
use crate::parameters::{Parameter, Parameters, parameter};

const PARAMETERS: &[Parameter] = &[
    parameter("clip_low", "0.4", "log-ratios are clipped at -clip_low where the advantage is negative"),
    parameter("clip_high", "0.4", "log-ratios are clipped at clip_high where the advantage is positive"),
    parameter("ratio_tokens_eps", "0", "added to the number of tokens in the mean log-ratio (1e-8 in verl)"),
    parameter(
        "geometric_entropy_mask",
        "null",
        "fraction of the tokens, those of highest entropy, that the geometric mean runs over",
    ),
];

/// `-mean(A) exp(sum of clipped log r / tokens), mean over rollouts`.
pub const GMPO: NamedObjective = NamedObjective {
    name: "gmpo",
    title: "the geometric mean of ratios that are clipped in the log domain",
    citation: "Zhao et al. 2025, arXiv 2507.20673",
    formula: "-mean(A) exp(sum of clipped log r / tokens), mean over rollouts",
    parameters: &[PARAMETERS, ANCHOR, WEIGHTS, &aggregate_by("seq_mean_token_mean"), TERMS],
    build,
};

fn build(parameters: &Parameters) -> Result<Box<dyn Objective>> {
    let mut objective = policy("gmpo", parameters, unclipped())?;
    objective.ratio.span = Span::Sequence;
    objective.ratio.pool = Pool::Mean;
    objective.ratio.log_clip = Some((parameters.number("clip_low")?, parameters.number("clip_high")?));
    objective.ratio.tokens_eps = parameters.number("ratio_tokens_eps")?;
    objective.advantages = Advantages::RowMean;
    Ok(match parameters.optional_number("geometric_entropy_mask")? {
        None => Box::new(objective),
        Some(keep_top) => Box::new(Selected {
            selection: Selection::TopEntropy(EntropyMask { keep_top }),
            objective: Box::new(objective),
        }),
    })
}

//! Parameters of importance ratios.

use meed_operators::Result;
use meed_operators::objectives::{Anchor, Gradient, Pool, Ratio, Span};

use crate::parameters::{Parameter, Parameters, parameter};

/// The policy in the denominator.
pub const ANCHOR: &[Parameter] = &[
    parameter("anchor", "old", "the policy in the denominator of ratios: old, or rollout (as sampled)"),
    parameter("clamp_log_ratio", "null", "log-ratios are clamped to plus or minus this (20 in verl)"),
];

/// Tokens that share a ratio, and its gradient.
pub const SPAN: [Parameter; 4] = span_by("token", "through");

/// The same with other defaults.
pub const fn span_by(ratio: &'static str, gradient: &'static str) -> [Parameter; 4] {
    [
        parameter(
            "ratio",
            ratio,
            "token; sequence (geometric mean), sequence_sum (product), segment (geometric mean over each run of trainable tokens), equal_advantages (over each run of trainable tokens with equal advantages)",
        ),
        parameter(
            "gradient",
            gradient,
            "through the shared ratio, or straight_through (each token as if the ratio were its own)",
        ),
        parameter("ratio_tokens_eps", "0", "added to the number of tokens in the mean log-ratio"),
        parameter("ratio_all_tokens", "false", "a sequence includes its observation tokens"),
    ]
}

/// The ratio of the parameters `anchor` and, where declared, `ratio` and `gradient`.
pub fn ratio(parameters: &Parameters) -> Result<Ratio> {
    let clamp = parameters.optional_number("clamp_log_ratio")?;
    let mut ratio = Ratio { anchor: anchor(parameters)?, clamp, ..Ratio::default() };
    if parameters.is_null("ratio") {
        return Ok(ratio);
    }
    (ratio.span, ratio.pool) = match parameters.text("ratio")? {
        "token" => (Span::Token, Pool::Mean),
        "sequence" => (Span::Sequence, Pool::Mean),
        "sequence_sum" => (Span::Sequence, Pool::Sum),
        "segment" => (Span::Segment, Pool::Mean),
        "equal_advantages" => (Span::EqualAdvantages, Pool::Mean),
        _ => {
            let known = ["token", "sequence", "sequence_sum", "segment", "equal_advantages"];
            return Err(parameters.unknown("ratio", &known));
        }
    };
    ratio.gradient = match parameters.text("gradient")? {
        "through" => Gradient::Through,
        "straight_through" => Gradient::StraightThrough,
        _ => return Err(parameters.unknown("gradient", &["through", "straight_through"])),
    };
    ratio.tokens_eps = parameters.number("ratio_tokens_eps")?;
    ratio.all_tokens = parameters.boolean("ratio_all_tokens")?;
    Ok(ratio)
}

fn anchor(parameters: &Parameters) -> Result<Anchor> {
    match parameters.text("anchor")? {
        "old" | "" => Ok(Anchor::Old),
        "rollout" => Ok(Anchor::Rollout),
        _ => Err(parameters.unknown("anchor", &["old", "rollout"])),
    }
}

//! Parameters of aggregation.

use meed_operators::objectives::{Aggregate, Mode, Rows};
use meed_operators::{Error, Result};

use crate::parameters::{Parameter, Parameters, parameter};

const MODES: &[&str] = &[
    "token_mean",
    "all_tokens",
    "token_sum",
    "seq_mean_token_mean",
    "seq_mean_token_sum",
    "seq_mean_token_sum_norm",
    "group_mean_token_mean",
    "trajectory_mean_token_mean",
    "sum",
];

/// How token losses become one number.
pub const AGGREGATE: [Parameter; 10] = aggregate_by("token_mean");

/// The same with another default.
pub const fn aggregate_by(mode: &'static str) -> [Parameter; 10] {
    [
        parameter(
            "aggregate",
            mode,
            "token_mean, all_tokens (sum / number of all tokens, untrained ones too), token_sum, seq_mean_token_mean, seq_mean_token_sum, seq_mean_token_sum_norm, group_mean_token_mean, trajectory_mean_token_mean, sum",
        ),
        parameter("horizon", "1024", "tokens that seq_mean_token_sum_norm divides by"),
        parameter("divide_by_rows", "true", "seq_mean_token_sum_norm divides by the number of rollouts too"),
        parameter("denominator", "null", "what sum divides by"),
        parameter(
            "rows",
            "all",
            "rollouts in means over rollouts: all, or trainable (with a trainable token)",
        ),
        parameter("tokens_eps", "0", "added to numbers of tokens in denominators"),
        parameter("rows_eps", "0", "added to the number of rollouts in denominators"),
        parameter("global_tokens", "null", "tokens of the whole step, where a batch is a part of it"),
        parameter("global_rows", "null", "rollouts of the whole step, where a batch is a part of it"),
        parameter("parts", "1", "number of parts of the step whose gradients will be averaged"),
    ]
}

/// The aggregate of the parameters.
///
/// # Errors
/// Unknown values, and a mode without its horizon or denominator.
pub fn aggregate(parameters: &Parameters) -> Result<Aggregate> {
    let needed = |name: &str| {
        parameters.optional_number(name)?.ok_or_else(|| {
            Error::usage(
                format!("aggregate {} needs `{name}`", parameters.get("aggregate")),
                format!("set `{name}` to a number of tokens"),
            )
        })
    };
    let mode = match parameters.text("aggregate")? {
        "token_mean" => Mode::TokenMean,
        "all_tokens" => Mode::AllTokens,
        "token_sum" => Mode::TokenSum,
        "seq_mean_token_mean" => Mode::SequenceMeanTokenMean,
        "seq_mean_token_sum" => Mode::SequenceMeanTokenSum,
        "seq_mean_token_sum_norm" => Mode::TokenSumNorm {
            horizon: needed("horizon")?,
            divide_by_rows: parameters.boolean("divide_by_rows")?,
        },
        "group_mean_token_mean" => Mode::GroupMeanTokenMean,
        "trajectory_mean_token_mean" => Mode::TrajectoryMeanTokenMean,
        "sum" => Mode::Sum { denominator: needed("denominator")? },
        _ => return Err(parameters.unknown("aggregate", MODES)),
    };
    let rows = match parameters.text("rows")? {
        "all" => Rows::All,
        "trainable" => Rows::Trainable,
        _ => return Err(parameters.unknown("rows", &["all", "trainable"])),
    };
    Ok(Aggregate {
        mode,
        rows,
        tokens_eps: parameters.number("tokens_eps")?,
        rows_eps: parameters.number("rows_eps")?,
        global_tokens: parameters.optional_number("global_tokens")?,
        global_rows: parameters.optional_number("global_rows")?,
        scale: parameters.number("parts")?,
    })
}

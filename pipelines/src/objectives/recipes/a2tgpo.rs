//! A2TGPO: one ratio per turn, and clip ranges that are wider for informative turns.
//!
//! `rho = exp(mean over the turn of logp - old)`, with the gradient of each token's own log-probability
//! (`exp(logp - sg(logp) + sg(mean))`), and per token
//! `max(-A rho, -A clip(rho, 1 - c low, 1 + c high))` with the scale `c` of its turn, or with the clip range that
//! the recipe of this name gives the token.

use meed_operators::Result;
use meed_operators::objectives::{
    Clip, Columns, Gradient, Objective, PolicyObjective, Ratio, Span, Surrogate, Token, TokenLosses,
    surrogate,
};

use crate::objectives::NamedObjective;
use crate::objectives::parts::aggregate::{AGGREGATE, aggregate};
use crate::parameters::{Parameter, Parameters, parameter};

const PARAMETERS: &[Parameter] = &[
    parameter("clip_low", "0.003", "the ratio of a turn is clipped at 1 - scale * clip_low"),
    parameter("clip_high", "0.004", "the ratio of a turn is clipped at 1 + scale * clip_high"),
    parameter(
        "dynamic_clip",
        "true",
        "without token_clip_low and token_clip_high, read the scales of turns from token_clip_scales; false: all are 1",
    ),
    parameter(
        "turns",
        "segments",
        "segments: each run of the policy's tokens; equal_advantages: neighbours with one advantage are one turn, as in the release",
    ),
];

/// Log-ratios above this count as this.
const CAP: f64 = 10.0;

/// The turn ratio of A2TGPO.
pub const A2TGPO: NamedObjective = NamedObjective {
    name: "a2tgpo",
    title: "clip the ratio of each turn, by a range of its own",
    citation: "A^2TGPO, arXiv 2605.06200; compute_policy_loss_gspo_turn",
    formula: "max(-A r, -A clip(r, 1 - c clip_low, 1 + c clip_high)), r = exp(mean log-ratio of the turn)",
    parameters: &[PARAMETERS, &AGGREGATE],
    build,
};

/// What is guessed or differs.
pub const FIDELITY: &str = "turns are those of the data; the release takes neighbouring turns with equal \
                            advantages for one (turns = equal_advantages)";

fn build(parameters: &Parameters) -> Result<Box<dyn Objective>> {
    let span = match parameters.text("turns")? {
        "segments" => Span::Segment,
        "equal_advantages" => Span::EqualAdvantages,
        _ => return Err(parameters.unknown("turns", &["segments", "equal_advantages"])),
    };
    let surrogate = TurnClip {
        low: parameters.number("clip_low")?,
        high: parameters.number("clip_high")?,
        dynamic: parameters.boolean("dynamic_clip")?,
    };
    let mut objective = PolicyObjective::new("a2tgpo", surrogate);
    objective.ratio = Ratio { span, gradient: Gradient::StraightThrough, ..Ratio::default() };
    objective.aggregate = aggregate(parameters)?;
    Ok(Box::new(objective))
}

/// A clip whose offsets are scaled per token.
struct TurnClip {
    low: f64,
    high: f64,
    dynamic: bool,
}

impl Surrogate for TurnClip {
    fn losses(&self, columns: &Columns, log_ratios: &[f64], advantages: &[f64]) -> Result<TokenLosses> {
        let ranges = columns.clip_low.as_ref().zip(columns.clip_high.as_ref());
        let scales = match ranges {
            None if self.dynamic => Some(columns.token_signal("token_clip_scales")?),
            _ => None,
        };
        let clip = Clip::offsets(self.low, self.high);
        Ok(surrogate::each(columns, |t| {
            let (low, high) = match ranges {
                Some((low, high)) => (1.0 - low[t], 1.0 + high[t]),
                None => {
                    let scale = scales.map_or(1.0, |scales| scales[t]);
                    (1.0 - scale * self.low, 1.0 + scale * self.high)
                }
            };
            let token = clip.token(low, high, log_ratios[t].min(CAP), advantages[t]);
            let by_log_ratio = if log_ratios[t] > CAP { 0.0 } else { token.by_log_ratio };
            Token { by_log_ratio, ..token }
        }))
    }
}

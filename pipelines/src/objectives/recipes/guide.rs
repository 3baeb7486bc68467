//! Guide-GRPO: rollouts sampled with a hint are trained as if without, with a ratio that is damped
//! instead of clipped.
//!
//! `rho_t = exp(logp_t(y | x) - old_t(y | x, hint))`. Without a hint: PPO's clip. With one: `-A rho'`
//! where `rho' = rho / (rho + g)` and `g` is a quantile of the rollout's ratios (detached, at least 1e-4)
//! or a constant, or `rho' = rho^g`. Mean over rollouts of the mean over tokens.

use meed_operators::Result;
use meed_operators::objectives::{
    Aggregate, Anchor, Clip, Columns, Mode, Objective, PolicyObjective, Rows, Surrogate, Token, TokenLosses,
    surrogate,
};

use crate::objectives::NamedObjective;
use crate::parameters::{Parameter, Parameters, parameter};

const PARAMETERS: &[Parameter] = &[
    parameter(
        "strategy",
        "percentile",
        "what damps the ratio of hinted rollouts: percentile, constant, power",
    ),
    parameter("value", "0.9", "the quantile, the constant, or the exponent"),
    parameter("clip", "0.2", "clip range of the others"),
    parameter("clip_removed", "false", "true: the others are not clipped either"),
    parameter(
        "padded_width",
        "null",
        "tokens of a padded row: as many ratios of 1 as it takes enter the quantile; null: no padding",
    ),
];

/// The least `g` of a quantile.
const LEAST: f64 = 1e-4;

/// Guide-GRPO's loss. The signal `hinted` says of each rollout whether it was sampled with a hint;
/// old log-probabilities are those under the prompt that it was sampled from.
pub const GUIDE: NamedObjective = NamedObjective {
    name: "guide",
    title: "clip rollouts sampled without a hint, damp the ratio of those sampled with one",
    citation: "Adaptive Guidance Accelerates Reinforcement Learning of Reasoning Models; guide_rl",
    formula: "max(-A r, -A clip(r)) without a hint; -A r / (r + g) with one; mean of rollout means",
    parameters: &[PARAMETERS],
    build,
};

/// What is guessed or differs.
pub const FIDELITY: &str = "equal to the released loss, which only works on one row at a time";

fn build(parameters: &Parameters) -> Result<Box<dyn Objective>> {
    let value = parameters.number("value")?;
    let strategy = match parameters.text("strategy")? {
        "percentile" => {
            let width = parameters.optional_number("padded_width")?.unwrap_or(0.0) as usize;
            Strategy::Percentile { quantile: value, padded_width: width }
        }
        "constant" => Strategy::Constant(value),
        "power" => Strategy::Power(value),
        _ => return Err(parameters.unknown("strategy", &["percentile", "constant", "power"])),
    };
    let clip = if parameters.boolean("clip_removed")? { f64::INFINITY } else { parameters.number("clip")? };
    let mut objective = PolicyObjective::new("guide", Guide { strategy, clip: Clip::offsets(clip, clip) });
    objective.aggregate = Aggregate { rows: Rows::Trainable, ..Aggregate::from(Mode::SequenceMeanTokenMean) };
    Ok(Box::new(objective))
}

/// Clips or damps, by rollout.
struct Guide {
    strategy: Strategy,
    clip: Clip,
}

impl Surrogate for Guide {
    fn losses(&self, columns: &Columns, log_ratios: &[f64], advantages: &[f64]) -> Result<TokenLosses> {
        let hinted = columns.rollout_signal("hinted")?;
        let old = columns.anchor(Anchor::Old)?;
        let mut rules = Vec::with_capacity(columns.tokens());
        for (rollout, range) in columns.ranges().enumerate() {
            let ratio = |t: usize| match (columns.logprobs[t] - old[t]).exp() {
                ratio if ratio.is_nan() => 1.0,
                ratio => ratio,
            };
            let ratios = || range.clone().map(ratio).collect();
            let damper = if hinted[rollout] != 0.0 { Some(self.strategy.damper(ratios())) } else { None };
            rules.resize(range.end, damper);
        }
        Ok(surrogate::each(columns, |t| match rules[t] {
            Some(damper) => damper.token(log_ratios[t].exp(), advantages[t]),
            None => self.clip.token(self.clip.low, self.clip.high, log_ratios[t], advantages[t]),
        }))
    }
}

enum Strategy {
    Percentile { quantile: f64, padded_width: usize },
    Constant(f64),
    Power(f64),
}

/// What a hinted rollout's ratio becomes.
#[derive(Debug, Clone, Copy)]
enum Damper {
    /// `r / (r + added)`.
    Saturate(f64),
    /// `r^power`.
    Power(f64),
}

impl Strategy {
    /// The damper of a rollout with these ratios, those of tokens outside the mask included (1 where nothing
    /// is known of them, as at padding).
    fn damper(&self, mut ratios: Vec<f64>) -> Damper {
        match *self {
            Strategy::Percentile { quantile, padded_width } => {
                ratios.resize(ratios.len().max(padded_width), 1.0);
                Damper::Saturate(percentile(ratios, quantile).max(LEAST))
            }
            Strategy::Constant(value) => Damper::Saturate(value),
            Strategy::Power(value) => Damper::Power(value),
        }
    }
}

impl Damper {
    fn token(self, ratio: f64, advantage: f64) -> Token {
        let (damped, by_log_ratio) = match self {
            Damper::Saturate(added) => (ratio / (ratio + added), ratio * added / (ratio + added).powi(2)),
            Damper::Power(power) => (ratio.powf(power), power * ratio.powf(power)),
        };
        Token { loss: -advantage * damped, by_log_ratio: -advantage * by_log_ratio, ..Token::default() }
    }
}

/// The quantile with linear interpolation between neighbours; 1 of nothing.
fn percentile(mut values: Vec<f64>, quantile: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = quantile * values.len().saturating_sub(1) as f64;
    let at = |index: usize| values.get(index).or(values.last()).copied().unwrap_or(1.0);
    let below = place as usize;
    at(below) + (at(below + 1) - at(below)) * (place - below as f64)
}

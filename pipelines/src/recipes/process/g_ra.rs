//! G-RA: rewards of steps count only where everything that matters more is above its threshold.

use meed_operators::credit::{Expr, ROLLOUT, Reduction, STEP, normalize, return_to_go, signal, value, when};

use super::inputs::STEP_REWARDS;
use crate::parameters::{Parameter, parameter};
use crate::parts::group::{GROUP, group_norm};
use crate::parts::steps::{judged, on_tokens, truth};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter(
        "channels",
        r#"["reward", "step_rewards"]"#,
        "columns of rollouts or steps, of falling priority; the first is the outcome",
    ),
    parameter(
        "thresholds",
        "null",
        "what a channel must exceed for those below it to count, one number per channel but the last; null: 0 each",
    ),
    parameter("accumulated", "null", "channels of steps that are added up; null: all but the first"),
    parameter("gated", "true", "false: every gate is open, direct accumulation (D-RA)"),
    parameter("weight", "1.0", "weight of the accumulated rewards"),
    parameter(
        "placement",
        "rollout",
        "rollout: one sum, compared in the group; step: rewards stay on their steps, the outcome goes to the last one, and returns are compared over the steps of the group",
    ),
    parameter("gamma", "1.0", "placement step: discount per policy step"),
];

/// G-RA: `R = outcome + w * sum over steps and channels i of g_i r_i`, where the gate `g_i` is open if every
/// channel of higher priority is above its threshold, strictly.
///
/// A gate by a channel of steps is that of the step, one by a channel of rollouts that of all. A missing value
/// closes the gates below it; a rollout without an outcome, or with a step that lacks an accumulated reward,
/// is not trained on. A flag such as the submission of a patch is a channel of its own that is not accumulated.
pub const G_RA: Recipe = Recipe {
    name: "g_ra",
    title: "step rewards that count only behind the gates of what matters more",
    citation: "Sun et al. 2025, Gated Rewards, arXiv 2508.10548",
    family: "process",
    formula: "R = outcome + w * sum_i g_i * r_i, g_i = [every channel above i exceeds its threshold]",
    fidelity: Fidelity::Reconstructed,
    deviations: "read second-hand: weight 1, thresholds 0, the placement per step and the normalisation in the group are guesses",
    inputs: &[&[STEP_REWARDS]],
    parameters: &[PARAMETERS, GROUP],
    plan: |parameters| {
        let channels = parameters.texts("channels")?;
        let Some((outcome, lower)) = channels.split_first() else {
            return Err(parameters.unknown("channels", &["a list that begins with the outcome"]));
        };
        let thresholds = parameters.numbers("thresholds")?.unwrap_or_else(|| vec![0.0; lower.len()]);
        if thresholds.len() != lower.len() {
            return Err(parameters.unknown("thresholds", &["one number per channel but the last"]));
        }
        let accumulated = if parameters.is_null("accumulated") {
            lower.to_vec()
        } else {
            parameters.texts("accumulated")?
        };
        if let Some(unknown) = accumulated.iter().find(|channel| !lower.contains(channel)) {
            let known: Vec<&str> = lower.iter().map(String::as_str).collect();
            return Err(parameters.unknown(&format!("accumulated ({unknown})"), &known));
        }
        let gated = parameters.boolean("gated")?;
        let mut gate = truth();
        let mut counted: Expr = value(0.0).spread(STEP);
        for (i, channel) in lower.iter().enumerate() {
            let above = signal(&channels[i]).greater(thresholds[i]).or_else(truth().negated());
            gate = if gated { gate.and(above) } else { gate };
            if accumulated.contains(channel) {
                counted = counted + when(gate.clone(), signal(channel), 0.0);
            }
        }
        let weighted = parameters.number("weight")? * signal("step_gated_rewards");
        let norm = group_norm(parameters)?;
        let total = signal(outcome) + weighted.clone().reduce(ROLLOUT, Reduction::Sum).empty(0.0);
        let credit = judged(accumulated.iter().map(signal))
            .define("step_gated_rewards", counted)
            .define("rewards", total);
        Ok(match parameters.text("placement")? {
            "rollout" => credit.advantage(normalize(signal("rewards"), &norm)),
            "step" => {
                let rewards = weighted + signal(outcome).at_last(STEP);
                let returns = return_to_go(signal("step_turn_rewards"), parameters.number("gamma")?);
                let relative = normalize(signal("step_returns"), &norm);
                let credit = credit.define("step_turn_rewards", rewards).define("step_returns", returns);
                credit.advantage(on_tokens(relative, 0.0))
            }
            _ => return Err(parameters.unknown("placement", &["rollout", "step"])),
        }
        .into())
    },
    ..ADVANTAGE
};

//! AC-Flow: the shaped reward against a critic's value of the noisy state.

use meed_operators::credit::{batch, history, mean, min_max, signal, std};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::steps::judged;
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[input(
    "step_values",
    Of::Number,
    "the critic's value of the noisy latent that the step starts from: what shaped reward it expects",
    "a critic of latents that regresses on the shaped reward, after a warm-up of its own",
)];

const PARAMETERS: &[Parameter] = &[
    parameter(
        "shaping",
        "running",
        "running: mean and deviation of all iterations so far; min_max: of the batch; none",
    ),
    parameter("clip", "1.0", "advantages are clipped at plus and minus this; a guess"),
    parameter("tau", "1.0", "the weight of a step is exp(tau A); a guess, which the objective has too"),
    parameter("eps", "1e-8", "added to the deviation"),
];

/// AC-Flow: `A_t = clip(r - V(x_t), -C, C)`, and the velocity at the step is imitated with weight
/// `exp(tau A_t)`. `r` is the shaped reward of the sample, on which the critic regresses (`returns`).
pub const AC_FLOW: Recipe = Recipe {
    name: "ac_flow",
    title: "shaped reward against a critic of noisy states",
    citation: "Fine-tuning Flow Matching Generative Models with Intermediate Feedback, arXiv 2510.18072",
    family: "denoising",
    objective: ("ac_flow", &[]),
    formula: "A_t = clip(shaped(r) - V_t, -C, C), weight exp(tau A_t)",
    fidelity: Fidelity::Reconstructed,
    deviations: "read second-hand: guessed are the form of the shaping, the weight exp(tau A), that the clip comes before it, C and tau; warm-up of the critic is the trainer's",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let reward = || signal("reward");
        let shaped = match parameters.text("shaping")? {
            "running" => {
                let deviation = std(reward(), history(), 1).or_else(0.0);
                (reward() - mean(reward(), history())) / (deviation + parameters.number("eps")?)
            }
            "min_max" => min_max(reward(), batch()),
            "none" => reward(),
            _ => return Err(parameters.unknown("shaping", &["running", "min_max", "none"])),
        };
        let most = parameters.number("clip")?;
        let credit = judged([signal("step_values")]).define("shaped_reward", shaped);
        let advantage = (signal("shaped_reward") - signal("step_values")).clamp(-most, most);
        let credit = credit.returns(signal("shaped_reward")).advantage(advantage);
        Ok(credit
            .define("step_imitation_weights", (parameters.number("tau")? * signal("advantage")).exp())
            .into())
    },
    ..ADVANTAGE
};

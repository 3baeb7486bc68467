//! Euphonium: the outcome of a sample and the process rewards of its steps, each compared in the group.

use meed_operators::Result;
use meed_operators::credit::{
    By, Center, Credit, Expr, Norm, ROLLOUT, STEP, Scale, batch, group, members, normalize, rank, signal,
    value,
};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::denoising::{DRAWN_STEPS, drawn_steps};
use crate::parts::reward::weights;
use crate::parts::steps::{indicator, judged, steps_before};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[input(
    "step_rewards",
    Of::Number,
    "process reward of the latent after each step; 0 where the sampler was not guided",
    "a process reward model of latents, as the sampler recorded it, or an import",
)];

const PARAMETERS: &[Parameter] = &[
    parameter("mode", "both", "both, outcome, process: which of the two are trained on"),
    parameter("reward_columns", "reward", "the outcome rewards, each compared on its own"),
    parameter("weights", "null", "weights of the outcome rewards, none below 0; 1 each by default"),
    parameter("outcome_weight", "1.0", "weight of the outcome part"),
    parameter("process_weight", "1.0", "weight of the process part"),
    parameter("adv_clip_max", "5", "advantages of each part are clamped to plus or minus this"),
    parameter("eps", "1e-8", "added to the deviation"),
    parameter(
        "best_of",
        "null",
        "keep half as many best and half as many worst samples of the batch; null: all",
    ),
];

/// Euphonium: `A_t = c_O sum_k w_k normalize(R_k, by(group)) + c_P normalize(p_t, by(group, step))`.
///
/// The loss clips each part for itself, `max(-A_k r, -A_k clip(r))`, and is linear in `A_k` on either side of 0.
/// So the parts above 0 and those below 0 are summed apart, in `step_positive_advantages` and
/// `step_negative_advantages`, and the objective `euphonium` takes both: the sum is the paper's loss.
pub const EUPHONIUM: Recipe = Recipe {
    name: "euphonium",
    title: "outcome and process rewards of denoising steps, each relative in its group",
    citation: "Euphonium, arXiv 2602.04928; zerzerzerz/Euphonium",
    family: "denoising",
    objective: ("euphonium", &[]),
    formula: "A_t = c_O sum_k w_k normalize(R_k, by(group)) + c_P normalize(p_t, by(group, step))",
    fidelity: Fidelity::Equations,
    deviations: "a group of one gets 0, where the program gives NaN; the best and worst samples are those of the batch, where the program takes those of each device; which steps are drawn depends on seed, iteration and rollout",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, DRAWN_STEPS],
    plan: |parameters| {
        let (outcome, process) = match parameters.text("mode")? {
            "both" => (true, true),
            "outcome" => (true, false),
            "process" => (false, true),
            _ => return Err(parameters.unknown("mode", &["both", "outcome", "process"])),
        };
        let (clip, norm) = (parameters.number("adv_clip_max")?, Norm::group_std(parameters.number("eps")?));
        let mut credit = if process { judged([signal("step_rewards")]) } else { Credit::new() };
        let mut parts: Vec<(f64, Expr)> = Vec::new();
        let mut score = value(0.0).spread(ROLLOUT);
        if outcome {
            let columns = parameters.texts("reward_columns")?;
            let factor = parameters.number("outcome_weight")?;
            for (column, weight) in columns.iter().zip(weights(parameters, columns.len())?) {
                let name = format!("outcome_advantage_{column}");
                credit = credit.define(&name, normalize(signal(column), &norm));
                score = score + weight * signal(&name);
                parts.push((factor * weight, signal(&name)));
            }
        }
        if process {
            let by = group().and(steps_before());
            let norm = at(by, &norm);
            credit = credit.define("step_process_advantages", normalize(signal("step_rewards"), &norm));
            parts.push((parameters.number("process_weight")?, signal("step_process_advantages")));
        }
        let side = |of: fn(Expr) -> Expr| {
            let parts = parts.iter().map(|(weight, part)| *weight * of(part.clone().clamp(-clip, clip)));
            parts.fold(value(0.0).spread(STEP), |sum, part| sum + part)
        };
        let credit = credit
            .define("outcome_score", score)
            .define("step_positive_advantages", side(|part| part.max(0.0)))
            .define("step_negative_advantages", side(|part| part.min(0.0)));
        if !outcome && !parameters.is_null("best_of") {
            return Err(parameters.unknown("best_of", &["null where no outcome is trained on"]));
        }
        let kept = best_and_worst(parameters, signal("outcome_score"))?;
        let advantage = signal("step_positive_advantages") + signal("step_negative_advantages");
        Ok(credit.advantage(advantage).weights(drawn_steps(parameters)? * kept).into())
    },
    ..ADVANTAGE
};

/// The same statistics among other members.
fn at(by: By, norm: &Norm) -> Norm {
    Norm { center: Center::Mean(by.clone()), scale: Scale::Std(by), ..norm.clone() }
}

/// 1 for the best and the worst `best_of / 2` samples of the batch.
fn best_and_worst(parameters: &Parameters, score: Expr) -> Result<Expr> {
    let Some(kept) = parameters.optional_number("best_of")? else {
        return Ok(value(1.0));
    };
    let (place, half) = (rank(score.clone(), batch(), false), (kept / 2.0).floor());
    Ok(indicator(place.clone().less(half).or(place.at_least(members(score, batch()) - half))))
}

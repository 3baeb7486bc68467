//! A2TGPO: gains of information compared turn by turn, and wider clip ranges for informative turns.

use meed_operators::Result;
use meed_operators::credit::{
    CLIP_HIGH, CLIP_LOW, Credit, Expr, Running, STEP, TOKEN, batch, group, normalize, return_to_go, signal,
    std, when,
};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::turns::{
    SCALE, ZERO_GAINS, before_last_turn, by_turn, from_next_known, gain_norm, gains, is_last_turn, norm_by,
};
use crate::recipe::{ADVANTAGE, Fidelity, Plan, Recipe};

const INPUTS: &[Input] = &[input(
    "step_information_gains",
    Of::Number,
    "what the turn that ends with the step adds to the likelihood of the gold answer; null at the answer's turn",
    "the judge `information_gains`",
)];

const PARAMETERS: &[Parameter] = &[
    parameter("mode", "turn-group-v1d", "turn-group-v1d (the paper's), turn-group (an older one)"),
    parameter("alpha", "0.3", "weight of the turns' part"),
    parameter("gamma", "1.0", "discount per turn"),
    parameter("eps", "1e-6", "added to deviations"),
    parameter(
        "dynamic_clip",
        "true",
        "true: clip ranges depend on the turn; false: they are the objective's",
    ),
    parameter("clip_low", "0.003", "the ratio of a turn is clipped at 1 - scale * clip_low"),
    parameter("clip_high", "0.004", "and at 1 + scale * clip_high"),
    parameter("clip_amplitude", "0.3", "how far the scale of a clip range is from 1 at most"),
];

/// A2TGPO: `A_t = o + alpha / sqrt(n - t) * sum_{j >= t} gamma^(j-t) z_j`, `z` the gain normalised among the
/// group's turns of the same number, `o` the normalised outcome, `n` the number of turns with a gain; the
/// answer has `A = o`.
///
/// The clip range of a turn is the objective's times `1 + 0.3 (2 sigmoid(z_t) - 1)`. A turn without a gain is
/// part of the next one that has one, as is one of gain 0 where `zero_gains` says so, as released. The older
/// mode scales gains to the deviation of the outcome over the batch, accumulates them back from the
/// discounted outcome, normalises that turn by turn, and adds 1.5 times the normalised outcome; its clip
/// ranges are the objective's.
pub const A2TGPO: Recipe = Recipe {
    name: "a2tgpo",
    title: "information gains normalised turn by turn, with clip ranges that follow them",
    citation: "A^2TGPO, arXiv 2605.06200; CuSO4-Chen/A-TGPO",
    family: "turns",
    objective: ("a2tgpo", &[]),
    formula: "A_t = o + alpha / sqrt(n - t) * sum_{j>=t} gamma^(j-t) z_j; clip = 1 + 0.3 (2 sigmoid(z_t) - 1)",
    fidelity: Fidelity::Reference,
    deviations: "a gain of exactly 0 is a turn like any other, as released with zero_gains=merged it is none",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, SCALE, ZERO_GAINS],
    plan,
    ..ADVANTAGE
};

fn plan(parameters: &Parameters) -> Result<Plan> {
    let gained = before_last_turn(by_turn(signal("step_information_gains")));
    let (norm, gamma) = (gain_norm(parameters)?, parameters.number("gamma")?);
    let of_turns = norm_by(group().and(signal("turn_gains").scan(Running::Count)), norm.clone());
    let credit = Credit::new()
        .define("turn_gains", gains(parameters, gained)?)
        .define("outcome_advantage", normalize(signal("reward"), &norm));
    let outcome = || signal("outcome_advantage");
    match parameters.text("mode")? {
        "turn-group-v1d" => {}
        "turn-group" => {
            let deviation = |x: &str| std(signal(x), batch(), 0).or_else(0.0).max(1e-6);
            let scaled = signal("turn_gains") * (deviation("reward") / deviation("turn_gains"));
            let seeded = when(is_last_turn(), gamma * signal("reward"), scaled);
            let gained = return_to_go(seeded, gamma).null_if(is_last_turn());
            let credit = credit.define("turn_returns", gained);
            let of_turn = normalize(signal("turn_returns"), &of_turns) + 1.5 * outcome();
            let advantage = from_next_known(when(is_last_turn(), outcome(), of_turn));
            return Ok(credit.advantage(advantage).into());
        }
        _ => return Err(parameters.unknown("mode", &["turn-group-v1d", "turn-group"])),
    }
    let left = signal("turn_gains").scan(Running::Count).backward();
    let following = parameters.number("alpha")? * signal("turn_accumulated_gains");
    let informative = 2.0 * signal("turn_normalised_gains").sigmoid() - 1.0;
    let scale: Expr = 1.0 + parameters.number("clip_amplitude")? * informative;
    let credit = credit
        .define("turn_normalised_gains", normalize(signal("turn_gains"), &of_turns))
        .define("turn_accumulated_gains", return_to_go(signal("turn_normalised_gains"), gamma) / left.sqrt())
        .define("turn_clip_scales", from_next_known(when(is_last_turn(), 1.0, scale)))
        .define("step_clip_scales", signal("turn_clip_scales").spread(STEP))
        .define("token_clip_scales", signal("turn_clip_scales").spread(TOKEN))
        .advantage(from_next_known(when(is_last_turn(), outcome(), outcome() + following)));
    if !parameters.boolean("dynamic_clip")? {
        return Ok(credit.into());
    }
    let range = |width: &str| -> Result<Expr> { Ok(parameters.number(width)? * signal("turn_clip_scales")) };
    Ok(credit.define(CLIP_LOW, range("clip_low")?).define(CLIP_HIGH, range("clip_high")?).into())
}

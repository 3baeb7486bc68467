//! RMT: next-token prediction as reinforcement, with a token budget that shrinks and a curriculum of tiers.

use meed_operators::Result;
use meed_operators::credit::{Credit, ROLLOUT, progress, signal, value};

use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::group::{GROUP, group_advantage};
use crate::parts::norm::trainable_tokens;
use crate::recipe::{Fidelity, Plan, Recipe};

const TIERS: [&str; 3] = ["easy", "medium", "hard"];

const PARAMETERS: &[Parameter] = &[
    parameter("total_iterations", "1000", "iterations T of the run"),
    parameter("budget", "800", "budget of thinking tokens at the start"),
    parameter("least_budget", "1", "the budget does not fall below it"),
    parameter("decay", "0.2", "share of the budget that is left at the end of the run"),
    parameter("length_weight", "0.1", "weight w of the length reward; the match has 1 - w"),
    parameter("length_reward", "1.0", "the length reward at the budget"),
    parameter("curriculum", "[0.3, 0.7]", "shares of the run at which the tiers begin and end to shift"),
    parameter("early_tiers", "[0.6, 0.3, 0.1]", "shares of easy, medium and hard tokens before"),
    parameter("late_tiers", "[0.1, 0.3, 0.6]", "the same after"),
];

/// RMT: `r = (1 - w) match + w r_length`, normalised in the group; `r_length` rises linearly to its most
/// at the budget `B_t = max(B_min, floor(B_0 decay^(t/T)))` and falls to 0 at twice the budget.
///
/// `reward` is the match: 1 where the predicted token is the true one. The sampler reads
/// `budget_tokens`, which the prompt names, and `easy_share`, `medium_share` and `hard_share`, by which
/// tokens are drawn from the tiers of entropy.
///
/// fidelity: reconstructed from a note and the abstract. The corpus tokens that are not drawn train by
/// their likelihood, with weight 0.1: rows of their own, under the objective `negative_log_likelihood`.
pub const RMT: Recipe = Recipe {
    name: "rmt",
    title: "a match reward with a length reward about a shrinking budget, and the curriculum's shares",
    citation: "Reinforcement Mid-Training (RMT), OpenReview uJUhi3FQNa",
    family: "outcome",
    formula: "r = (1 - w) match + w max(0, 1 - |l - B_t|/B_t), B_t = max(B_min, floor(B_0 decay^(t/T)))",
    fidelity: Fidelity::Reconstructed,
    deviations: "guessed: the weight and the height of the length reward, and the tiers' shares; next-token rows are trained beside it, not by it",
    parameters: &[PARAMETERS, GROUP],
    plan,
    ..crate::recipe::ADVANTAGE
};

fn plan(parameters: &Parameters) -> Result<Plan> {
    let numbers = |name: &str, many: usize, what: &str| {
        let numbers = parameters.numbers(name)?.filter(|numbers| numbers.len() == many);
        numbers.ok_or_else(|| parameters.unknown(name, &[what]))
    };
    let total = parameters.number("total_iterations")?;
    let budget = || signal("budget_tokens");
    let left = value(parameters.number("decay")?).power(progress(0.0, total));
    let shrunk = (parameters.number("budget")? * left).floor().max(parameters.number("least_budget")?);
    let off = (trainable_tokens() - budget()).abs() / budget();
    let weight = parameters.number("length_weight")?;
    let score = (1.0 - weight) * signal("reward") + weight * signal("length_reward");
    let mut credit = Credit::new()
        .define("budget_tokens", shrunk)
        .define("length_reward", parameters.number("length_reward")? * (1.0 - off).max(0.0))
        .define("score", score)
        .advantage(group_advantage(parameters, signal("score"))?);
    let curriculum = numbers("curriculum", 2, "[begin, end]")?;
    let (early, late) = (
        numbers("early_tiers", 3, "[easy, medium, hard]")?,
        numbers("late_tiers", 3, "[easy, medium, hard]")?,
    );
    for ((tier, early), late) in TIERS.into_iter().zip(early).zip(late) {
        let shift = progress(curriculum[0] * total, curriculum[1] * total);
        let share = (early * (1.0 - shift.clone()) + late * shift).spread(ROLLOUT);
        credit = credit.define(format!("{tier}_share"), share);
    }
    Ok(credit.into())
}

//! SWEET-RL: candidates of a turn ranked by a critic that sees what the policy does not, for pairs of DPO.

use meed_operators::credit::{Credit, Reduction, STEP, group, maximum, members, minimum, rank, signal};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::recipe::{Fidelity, Recipe, SELECTION};

const CRITIC: &str =
    "score the rollouts under the critic, with the hidden information before them, or import";

const INPUTS: &[Input] = &[
    input(
        "token_critic_logprobs",
        Of::Number,
        "log-probability under the critic, which was told hidden information such as the reference solution",
        CRITIC,
    ),
    input(
        "token_critic_ref_logprobs",
        Of::Number,
        "the same under the model from which the critic was trained",
        CRITIC,
    ),
];

const PARAMETERS: &[Parameter] =
    &[parameter("share", "0.5", "share of a turn's candidates that is chosen, and as much that is rejected")];

/// SWEET-RL: `A(turn) = mean over its tokens of log pi_phi - log pi_ref`, and of the candidates of one turn the best
/// half is chosen and the worst half rejected.
///
/// A step is a turn of the policy, and candidates of one turn are steps with equal `step_states` in the group.
/// Of equal candidates the first is the better one; a turn whose candidates are all equal, or that has only one, has
/// no pair. The critic is trained by a Bradley-Terry loss on the sum of `A` over the turns of preferred and rejected
/// rollouts.
pub const SWEET_RL: Recipe = Recipe {
    name: "sweet_rl",
    title: "candidates of a turn chosen and rejected by a critic with hidden information",
    citation: "SWEET-RL, arXiv 2503.15478",
    family: "redistribution",
    objective: ("dpo", &[]),
    formula: "A(turn) = mean(log pi_phi - log pi_ref); chosen: the best half by(group, state), rejected: the worst",
    fidelity: Fidelity::Reconstructed,
    deviations: "from general knowledge of the paper: halves, and turns matched by their state, are guesses; that the chosen are paired with the rejected by rank is left to who reads them",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let share = parameters.number("share")?;
        if !(0.0..=0.5).contains(&share) {
            return Err(parameters.unknown("share", &["a number in 0..0.5"]));
        }
        let turn = || group().and(signal("step_states"));
        let advantage = || signal("step_critic_advantages");
        let count = || members(advantage(), turn());
        let kept = || (count() * share).floor();
        let place = || rank(advantage(), turn(), false);
        let differ = || maximum(advantage(), turn()).greater(minimum(advantage(), turn()));
        let log_ratio = signal("token_critic_logprobs") - signal("token_critic_ref_logprobs");
        Ok(Credit::new()
            .define("step_critic_advantages", log_ratio.reduce(STEP, Reduction::Mean))
            .define("step_chosen", place().less(kept()).and(differ()))
            .define("step_rejected", place().at_least(count() - kept()).and(differ()))
            .into())
    },
    ..SELECTION
};

//! CCPO: a thinker is rewarded where the solver fails without it, and punished where it succeeds without it.

use meed_operators::credit::{Credit, group, mean, signal, when};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::two_roles::{OBJECTIVE, ROLES, credit_of_roles, signed_outcome};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[input(
    "solo_reward",
    Of::Number,
    "reward of an answer of the solver alone, one beside each joint path",
    "sample the solver on the prompt without a thought, and judge its answers",
)];

const PARAMETERS: &[Parameter] = &[
    parameter("bonus_weight", "0.2", "weight of the bonus in the thinker's reward"),
    parameter(
        "bonus",
        "event",
        "event: 1 where the joint path is right and most solo answers are wrong, -1 the other way round; soft: half the difference",
    ),
];

/// CCPO: `r_thinker = R + lambda * bonus`, `r_solver = R`, each less its group mean, with outcomes of +1 and -1.
///
/// `b` is the mean of the group's solo outcomes. The bonus is 1 where `R = 1` and `b < 0`, -1 where `R = -1` and
/// `b > 0`, else 0; softly `(R - b) / 2`.
pub const CCPO: Recipe = Recipe {
    name: "ccpo",
    title: "outcomes with a bonus for the thinker against what the solver does alone",
    citation: "CCPO, arXiv 2603.21563; bhai114/ccpo, two_model_trainer.py",
    family: "agents",
    objective: OBJECTIVE,
    formula: "r_thinker = R + lambda * (1[R = 1, b < 0] - 1[R = -1, b > 0]); A = r - mean(r, by(group))",
    fidelity: Fidelity::Equations,
    deviations: "both roles are trained at once unless active says which",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, ROLES],
    plan: |parameters| {
        let (joint, solo) = (|| signal("outcome"), || signal("solo_mean"));
        let bonus = match parameters.text("bonus")? {
            "event" => {
                let helped = joint().greater(0.0).and(solo().less(0.0));
                let hurt = joint().less(0.0).and(solo().greater(0.0));
                when(helped, 1.0, when(hurt, -1.0, 0.0))
            }
            "soft" => 0.5 * (joint() - solo()),
            _ => return Err(parameters.unknown("bonus", &["event", "soft"])),
        };
        let alone = when(signal("solo_reward").greater(0.0), 1.0, -1.0);
        let credit = Credit::new()
            .define("outcome", signed_outcome())
            .define("solo_mean", mean(alone, group()))
            .define("bonus", bonus);
        let thinker = joint() + parameters.number("bonus_weight")? * signal("bonus");
        Ok(credit_of_roles(parameters, credit, thinker, joint())?.into())
    },
    ..ADVANTAGE
};

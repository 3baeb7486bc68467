//! SEPO: two roles say how much of an outcome is due to each of them, and share it by that.

use meed_operators::credit::{Credit, group, mean, signal, value};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::two_roles::{OBJECTIVE, ROLES, credit_of_roles, signed_outcome};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const RATING: &str = "read the split that the role writes beside its answer; null where it cannot be read";

const INPUTS: &[Input] = &[
    input(
        "thinker_share_by_thinker",
        Of::Share,
        "share of the outcome that the thinker puts down to itself; the rest is the solver's",
        RATING,
    ),
    input(
        "thinker_share_by_solver",
        Of::Share,
        "share of the outcome that the solver puts down to the thinker; the rest is its own",
        RATING,
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter("own_weight", "0.3", "eta: weight of a role's rating of itself against its peer's of it"),
    parameter("bonus_weight", "0.2", "lambda: weight of the bonus"),
    parameter(
        "centred",
        "true",
        "true: a share counts by how far it is above its mean in the group; false: above one half",
    ),
];

/// SEPO: `r_i = R + sign(R) * lambda * (w_i - mean(w_i))` with `w_i = s_i / (s_1 + s_2)` and `s_i` the mean of
/// both ratings of role `i`, its own with weight `eta`; each less its group mean, with outcomes of +1 and -1.
///
/// A rating that cannot be read is one half, as in the released program.
pub const SEPO: Recipe = Recipe {
    name: "sepo",
    title: "outcomes shared by what two roles say of themselves and of each other",
    citation: "SEPO, in bhai114/ccpo (arXiv 2603.21563)",
    family: "agents",
    objective: OBJECTIVE,
    formula: "w_i = s_i / (s_1 + s_2), s_i = eta own + (1 - eta) peer; r_i = R + sign(R) lambda (w_i - mean(w_i))",
    fidelity: Fidelity::Equations,
    deviations: "both roles are trained at once unless active says which",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, ROLES],
    plan: |parameters| {
        let eta = parameters.number("own_weight")?;
        let read = |name: &str| signal(name).or_else(0.5);
        let (own, peer) = (read("thinker_share_by_thinker"), read("thinker_share_by_solver"));
        let thinker = eta * own.clone() + (1.0 - eta) * peer.clone();
        let solver = eta * (1.0 - peer) + (1.0 - eta) * (1.0 - own);
        let outcome = || signal("outcome");
        let mut credit = Credit::new()
            .define("outcome", signed_outcome())
            .define("thinker_share", thinker.clone() / (thinker + solver))
            .define("solver_share", 1.0 - signal("thinker_share"));
        for role in ["thinker", "solver"] {
            let share = signal(format!("{role}_share"));
            let usual = match parameters.boolean("centred")? {
                true => mean(share.clone(), group()),
                false => value(0.5),
            };
            credit = credit.define(format!("{role}_bonus"), share - usual);
        }
        let lambda = parameters.number("bonus_weight")?;
        let rewarded = |role: &str| outcome() + lambda * outcome() * signal(format!("{role}_bonus"));
        Ok(credit_of_roles(parameters, credit, rewarded("thinker"), rewarded("solver"))?.into())
    },
    ..ADVANTAGE
};

//! Two roles that answer together, a thinker and a solver: each with its own reward, centred in the group.

use meed_operators::Result;
use meed_operators::credit::{Credit, Expr, group, mean, signal, text, when};

use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::steps::is_correct;

/// Parameters of both roles.
pub const ROLES: &[Parameter] = &[
    parameter("thinker", "thinker", "the step_agents of the role that thinks; all others are the solver"),
    parameter(
        "active",
        "both",
        "the role that is trained: both, thinker or solver (the released program alternates every 10 steps)",
    ),
];

/// What the released programs of both methods train with.
pub const OBJECTIVE: crate::recipe::TrainedWith = ("gspo", &[("dual_clip", "10")]);

/// 1 where the outcome is positive, else -1.
pub fn signed_outcome() -> Expr {
    when(is_correct(), 1.0, -1.0)
}

/// Each role's reward less its mean in the group, on the role's steps; `thinker_reward` and `solver_reward` are
/// kept.
pub fn credit_of_roles(
    parameters: &Parameters,
    credit: Credit,
    thinker: Expr,
    solver: Expr,
) -> Result<Credit> {
    let is_thinker = signal("step_agents").equals(text(parameters.text("thinker")?));
    let centred = |name: &str| signal(name) - mean(signal(name), group());
    let credit = credit.define("thinker_reward", thinker).define("solver_reward", solver).advantage(when(
        is_thinker.clone(),
        centred("thinker_reward"),
        centred("solver_reward"),
    ));
    Ok(match parameters.text("active")? {
        "both" => credit,
        "thinker" => credit.weights(when(is_thinker, 1.0, 0.0)),
        "solver" => credit.weights(when(is_thinker, 0.0, 1.0)),
        _ => return Err(parameters.unknown("active", &["both", "thinker", "solver"])),
    })
}

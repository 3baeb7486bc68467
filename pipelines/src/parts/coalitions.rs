//! Shapley values of players from the stored rewards of their coalitions.

use std::sync::Arc;

use meed_operators::Result;
use meed_operators::signals::{AddSignals, Coalitions, Shapley};

use crate::inputs::{Input, Of, items, pairs};
use crate::parameters::{Parameter, Parameters, parameter};

const EVALUATED: &str = "evaluate coalitions of the players, and store each with its reward";

/// The columns of coalitions.
pub const COALITION_INPUTS: &[Input] = &[
    pairs(
        "coalition_member_positions",
        Of::Count,
        "for each coalition, the positions of its players in the lists of their level, from 0",
        EVALUATED,
    ),
    items("coalition_rewards", Of::Number, "reward of each coalition, of the empty one too", EVALUATED),
];

/// What the stored coalitions are.
pub const COALITIONS: &[Parameter] = &[parameter(
    "coalitions",
    "every",
    "every: all sets of players are stored (at most 16 players), values are exact; orderings: coalitions along sampled orderings of the players, one ordering after another, each growing by one player at a time",
)];

/// The operator that adds the values of the players of a level, known by one of its columns.
///
/// # Errors
/// Coalitions that are neither kind.
pub fn shapley_values(parameters: &Parameters, players: &str) -> Result<Arc<dyn AddSignals>> {
    let coalitions = match parameters.text("coalitions")? {
        "every" => Coalitions::Every,
        "orderings" => Coalitions::Orderings,
        _ => return Err(parameters.unknown("coalitions", &["every", "orderings"])),
    };
    Ok(Arc::new(Shapley { players: players.into(), coalitions }))
}

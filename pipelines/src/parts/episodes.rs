//! Rollouts that hold several episodes: where one ends, and what is expected after the last step.

use meed_operators::credit::{Expr, ROLLOUT, if_present, signal, value, when};

use crate::inputs::{Input, Of, input};
use crate::parts::steps::is_last_step;

/// Where episodes end.
pub const STEP_DONES: Input = input(
    "step_dones",
    Of::Flag,
    "true where the episode ended after the step; without the column it ends with the last policy step",
    "the environment; import it",
);

/// True where the episode ends.
pub fn ends_episode() -> Expr {
    if_present(signal("step_dones"), is_last_step())
}

/// `discount`, and 0 where the episode ends.
pub fn unless_done(discount: f64) -> Expr {
    when(ends_episode(), 0.0, discount)
}

/// A value after the last step, 0 where the data has none.
pub fn bootstrap(column: Expr) -> Expr {
    if_present(column, value(0.0).spread(ROLLOUT))
}

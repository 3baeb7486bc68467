//! Several critiques of one rollout, brought to one verdict.

use meed_operators::credit::{Expr, ROLLOUT, Reduction, STEP, signal};

use crate::parts::steps::truth;

/// Share of the critiques that call a step wrong. One that could not be parsed calls none wrong.
pub fn share_calling_wrong() -> Expr {
    1.0 - signal("step_critique_correct").or_else(truth()).reduce(STEP, Reduction::Mean)
}

/// True for steps that more than half of the critiques with a verdict call correct.
pub fn majority_of_steps() -> Expr {
    signal("step_critique_correct").reduce(STEP, Reduction::Mean).greater(0.5)
}

/// True for rollouts that more than half of the critiques with a verdict call correct.
pub fn majority() -> Expr {
    signal("critique_correct").reduce(ROLLOUT, Reduction::Mean).greater(0.5)
}

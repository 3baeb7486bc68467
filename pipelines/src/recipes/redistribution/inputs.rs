//! Columns that several recipes of the family read.

use crate::inputs::{Input, Of, input};

/// What the environment pays.
pub const STEP_REWARDS: Input =
    input("step_rewards", Of::Number, "reward of the environment at each step", "an environment, on import");

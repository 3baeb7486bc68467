//! Steps with scores: which rollouts have them all, what a step gains, where its value lands.

use meed_operators::credit::{
    Credit, Expr, Level, Members, ROLLOUT, Reduction, Running, STEP, TOKEN, group, mask, members, signal,
    trainable, value, when,
};

use crate::parts::norm::trainable_tokens;

/// The beginning of a program over the rollouts whose every policy step has each of these values. A
/// rollout that misses one takes no part: neither in statistics nor in the loss.
pub fn judged(scores: impl IntoIterator<Item = Expr>) -> Credit {
    judged_where(truth(), scores)
}

/// The same among the rollouts for which `wanted` is true.
pub fn judged_where(wanted: Expr, scores: impl IntoIterator<Item = Expr>) -> Credit {
    let every = scores
        .into_iter()
        .fold(trainable_tokens().greater(0.0).and(wanted), |every, score| every.and(is_known(score)));
    Credit::new().in_baseline(every)
}

/// True for rollouts that have each of these values, wherever they act; also for those without any place for
/// them.
pub fn is_known(score: Expr) -> Expr {
    score.is_null().reduce(ROLLOUT, Reduction::Any).or_else(truth().negated()).negated()
}

/// At each token the value of its step, and `without` in rollouts that have no steps.
pub fn on_tokens(step: Expr, without: impl Into<Expr>) -> Expr {
    step.spread(TOKEN).or_else(without)
}

/// 1 at the last trainable token of each policy step, else 0.
pub fn step_ends() -> Expr {
    value(1.0).spread(STEP).at_last(TOKEN)
}

/// True at the last policy step of the rollout.
pub fn is_last_step() -> Expr {
    value(1.0).at_last(STEP).equals(1.0)
}

/// Number of policy steps before the step.
pub fn steps_before() -> Expr {
    value(1.0).spread(STEP).scan(Running::Count).exclusive()
}

/// Number of policy steps of the rollout.
pub fn policy_steps() -> Expr {
    value(1.0).spread(STEP).reduce(ROLLOUT, Reduction::Count)
}

/// True at the last step of each maximal run of steps with equal labels, but for the run that ends the
/// rollout.
pub fn is_end_of_run(label: Expr) -> Expr {
    label.clone().differs(label.clone().shift(-1, Some(label)))
}

/// True where the outcome is positive: rewards 1 and 0, or 1 and -1.
pub fn is_correct() -> Expr {
    signal("reward").greater(0.0)
}

/// The spans of a level of its own in which the policy produced a token.
pub fn acting(level: Level) -> Members {
    trainable().only(mask().reduce(level, Reduction::Any).empty(0.0))
}

/// True at the policy steps with a null in this value at or before them.
pub fn unknown_by(x: Expr) -> Expr {
    indicator(x.is_null()).scan(Running::Sum).greater(0.0)
}

/// True at the policy steps with a null in this value at or after them.
pub fn unknown_ahead(x: Expr) -> Expr {
    indicator(x.is_null()).scan(Running::Sum).backward().greater(0.0)
}

/// A column of which a null leaves a rollout out only where it is used, such as in one branch of `when`.
pub fn where_used(column: Expr) -> Expr {
    column.null_if(truth().negated())
}

/// 1 where the condition is true, 0 where it is false.
pub fn indicator(condition: Expr) -> Expr {
    when(condition, 1.0, 0.0)
}

/// 0 for the only rollout of a group, which has no others to be compared with.
pub fn unless_alone(score: Expr, credit: Expr) -> Expr {
    when(members(score, group()).equals(1.0), 0.0, credit)
}

/// True everywhere.
pub fn truth() -> Expr {
    value(1.0).equals(1.0)
}

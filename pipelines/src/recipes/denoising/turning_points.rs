//! Which denoising steps turn a sample round.

use meed_operators::Result;
use meed_operators::credit::{Expr, batch, members, rank, signal, trainable, value, when};

use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::steps::{steps_before, truth};

/// What counts as a turning point.
pub(super) const POINTS: &[Parameter] = &[
    parameter("first_step", "true", "the first step may be a turning point"),
    parameter(
        "consistency_first",
        "true",
        "the first step only where what follows goes the same way; false: where the sample does",
    ),
    parameter("consistency_inter", "true", "later steps only where what follows goes the same way"),
    parameter(
        "any_reversal",
        "false",
        "every change of direction is a turning point, wherever the sample goes",
    ),
    parameter("positive_only", "false", "turning points after the first step only in samples that gained"),
    parameter(
        "balanced",
        "true",
        "as many turning points of samples that gained as of samples that lost, those of the greatest difference",
    ),
    parameter(
        "balanced_by",
        "null",
        "a column inside of whose values turning points are balanced, such as a device; null: the batch",
    ),
];

/// Turning points before they are balanced.
pub(super) fn candidates(parameters: &Parameters) -> Result<Expr> {
    let gain = || signal("step_gains");
    let with_sample = || gain().sign() * signal("sample_gain").sign();
    let rest = signal("reward") - signal("step_completion_rewards");
    let consistent = || (gain().sign() * rest.clone().sign()).greater(0.0);
    let first = match (parameters.boolean("first_step")?, parameters.boolean("consistency_first")?) {
        (false, _) => truth().negated(),
        (true, true) => consistent(),
        (true, false) => with_sample().greater(0.0),
    };
    let before = |x: Expr| x.shift(1, Some(value(0.0)));
    let mut later = match parameters.boolean("any_reversal")? {
        true => (before(gain()) * gain()).less(0.0),
        false => before(with_sample()).less(0.0).and(with_sample().greater(0.0)),
    };
    if parameters.boolean("positive_only")? {
        later = later.and(signal("sample_gain").greater(0.0));
    }
    if parameters.boolean("consistency_inter")? {
        later = later.and(consistent());
    }
    Ok(when(steps_before().equals(0.0), first, later))
}

/// The candidates of greatest `strength`, as many above 0 as below 0; all where only one side has any.
pub(super) fn balanced(parameters: &Parameters, strength: Expr) -> Result<Expr> {
    let of_batch = || match parameters.text("balanced_by") {
        Ok("") => Ok(batch()),
        column => column.map(|column| batch().and(signal(column))),
    };
    let candidate = || signal("step_candidates");
    let side = |wanted: Expr| -> Result<Expr> {
        Ok(members(candidate(), of_batch()?).over(trainable().only(candidate().and(wanted))).or_else(0.0))
    };
    let strength = || strength.clone() + 0.0 * signal("step_gains");
    let (gained, lost) = (side(strength().greater(0.0))?, side(strength().less(0.0))?);
    let sided = candidate().and(strength().differs(0.0));
    let place = rank(strength().abs(), of_batch()?.and(strength().greater(0.0)), false);
    let strong = place.over(trainable().only(sided.clone())).less(gained.clone().min(lost.clone()));
    let one_sided = gained.equals(0.0).or(lost.equals(0.0));
    Ok(candidate().and(one_sided.or(sided.and(strong.or_else(truth().negated())))))
}

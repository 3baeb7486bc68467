//! Which edges of a denoising tree BranchGRPO trains.

use meed_operators::Result;
use meed_operators::credit::{Expr, group, members, progress, rank, rollout, signal, trainable, value, when};

use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::steps::truth;
use crate::parts::tree::Tree;

/// What is pruned, and when.
pub(super) const PRUNING: &[Parameter] = &[
    parameter("split_steps", "[0, 3, 6, 9]", "steps at which paths split"),
    parameter("depth_pruning", "null", "depths whose edges are not trained, as a list or a text such as 4,5"),
    parameter("depth_slide", "false", "pruned depths move up by one every `interval` steps of training"),
    parameter("stop_depth", "null", "depth that the least pruned depth does not pass; null: the last split"),
    parameter(
        "interval",
        "30",
        "steps of training until pruned depths move, or denoising steps between stochastic windows; a guess",
    ),
    parameter(
        "width_pruning",
        "null",
        "{mode, ratio} of the edges behind the last split: mode parent_top keeps the best of each path, extreme the best and the worst",
    ),
    parameter("current_step", "null", "step of training; null: the iteration"),
    parameter("max_steps", "null", "steps of training of the whole run; null: pruning does not end"),
    parameter("pruning_step_ratio", "1.0", "share of the steps of training in which edges are pruned"),
    parameter(
        "mixed_ode_sde",
        "false",
        "only steps of stochastic windows and splits are trained: the others are deterministic",
    ),
    parameter("window", "1", "denoising steps of a stochastic window; a guess"),
];

/// Edges that stochastic windows and the pruning of depths leave.
pub(super) fn deep(parameters: &Parameters, tree: &Tree) -> Result<Expr> {
    let step = || tree.depth() - 1.0;
    let mut kept = truth();
    if parameters.boolean("mixed_ode_sde")? {
        let stride = parameters.number("interval")?;
        let in_window = (step() - (step() / stride).floor() * stride).less(parameters.number("window")?);
        kept = splits(parameters)?.into_iter().fold(in_window, |kept, split| kept.or(step().equals(split)));
    }
    let pruned = depths(parameters)?;
    let Some(least) = pruned.iter().copied().reduce(f64::min) else {
        return Ok(kept);
    };
    let last_split = splits(parameters)?.into_iter().fold(0.0, f64::max);
    let stop = parameters.optional_number("stop_depth")?.unwrap_or(last_split);
    let slid = match parameters.boolean("depth_slide")? {
        true => {
            (training_step(parameters)? / parameters.number("interval")?).floor().min((least - stop).max(0.0))
        }
        false => value(0.0),
    };
    let is_pruned = |depth: f64| (tree.depth() + slid.clone()).equals(depth);
    let pruned = pruned.into_iter().map(is_pruned).reduce(Expr::or).unwrap_or_else(|| truth().negated());
    Ok(kept.and(pruned.and(pruning(parameters)?).negated()))
}

/// 1 at the edges that the pruning of widths leaves of those, 0 at all others.
pub(super) fn wide(parameters: &Parameters, tree: &Tree) -> Result<Expr> {
    let deep = || signal("step_deep");
    let Some(fields) = parameters.object("width_pruning", &["mode", "ratio"])? else {
        return Ok(deep());
    };
    let ratio = fields.number("ratio")?.unwrap_or(0.5);
    let last_split = splits(parameters)?.into_iter().fold(0.0, f64::max);
    let late = || deep().equals(1.0).and((tree.depth() - 1.0).greater(last_split));
    let by = match fields.text("mode")? {
        "parent_top" => rollout(),
        "extreme" => group(),
        _ => return Err(fields.unknown("mode", &["parent_top", "extreme"])),
    };
    let who = trainable().only(late());
    let place = || rank(signal("advantage"), by.clone(), false).over(who.clone());
    let count = || members(signal("advantage"), by.clone()).over(who.clone());
    let share = || (count() * ratio).floor();
    let kept = match fields.text("mode")? {
        "parent_top" => place().less(share().max(1.0)),
        _ => {
            let best = (share().max(2.0) / 2.0).floor();
            place().less(best.clone()).or(place().at_least(count() - (share().max(2.0) - best)))
        }
    };
    let pruned = late().and(kept.or_else(truth()).negated()).and(pruning(parameters)?);
    Ok(when(pruned, 0.0, deep()))
}

fn splits(parameters: &Parameters) -> Result<Vec<f64>> {
    Ok(parameters.numbers("split_steps")?.unwrap_or_default())
}

/// The depths to prune.
fn depths(parameters: &Parameters) -> Result<Vec<f64>> {
    let Some(text) = parameters.get("depth_pruning").as_str() else {
        return Ok(parameters.numbers("depth_pruning")?.unwrap_or_default());
    };
    let depths = text.split(',').map(|depth| depth.trim().parse::<f64>());
    depths.collect::<Result<_, _>>().map_err(|_| parameters.unknown("depth_pruning", &["depths such as 4,5"]))
}

/// The step of training: given, or the iteration.
fn training_step(parameters: &Parameters) -> Result<Expr> {
    // A power of two, so that the product is exact; iterations beyond it count as the last.
    const ITERATIONS: f64 = (1_u32 << 30) as f64;
    let given = parameters.optional_number("current_step")?;
    Ok(given.map_or_else(|| progress(0.0, ITERATIONS) * ITERATIONS, value))
}

/// True while edges are pruned.
fn pruning(parameters: &Parameters) -> Result<Expr> {
    let Some(last) = parameters.optional_number("max_steps")? else {
        return Ok(truth());
    };
    let until = (last * parameters.number("pruning_step_ratio")?).floor();
    Ok(training_step(parameters)?.at_most(until))
}

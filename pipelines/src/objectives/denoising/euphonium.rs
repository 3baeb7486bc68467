//! Euphonium: the clipped loss of outcome and process advantages, each clipped for itself.

use meed_operators::objectives::Loss;

use super::steps::Steps;
use crate::objectives::NamedObjective;
use crate::objectives::parts::function::function;
use crate::parameters::parameter;

/// `L = sum over samples and trained steps of sum_k c_k max(-A_k r, -A_k clip(r)) / (accumulation steps)`.
///
/// On either side of 0 the clipped loss is linear in the advantage, so that two sums per step are enough: the
/// signals `positive_advantages` and `negative_advantages`, of the recipe `euphonium`, in which advantages are
/// clamped and weighted already.
pub const EUPHONIUM: NamedObjective = NamedObjective {
    name: "euphonium",
    title: "the clipped loss of outcome and process advantages, each for itself",
    citation: "Euphonium, arXiv 2602.04928; zerzerzerz/Euphonium",
    formula: "sum_k c_k max(-A_k r, -A_k clip(r)) / (accumulation steps)",
    parameters: &[&[
        parameter("clip", "0.0001", "the ratio is clipped at 1 - clip and 1 + clip"),
        parameter("gradient_accumulation", "1", "samples that are accumulated before a step"),
    ]],
    build: |parameters| {
        let steps = Steps::unclamped(parameters.number("clip")?);
        let accumulation = parameters.number("gradient_accumulation")?;
        Ok(function("euphonium", move |columns| {
            let trained: Vec<f64> =
                columns.ranges().map(|range| range.filter(|&t| columns.mask[t]).count() as f64).collect();
            let share = |sample: usize| 1.0 / (accumulation * trained[sample].max(1.0));
            let mut loss = Loss::zero(columns);
            for side in ["positive_advantages", "negative_advantages"] {
                let part = steps.sum_of(columns, columns.token_signal(side)?, share)?;
                loss.parts.insert(side.into(), part.value);
                loss.outputs.extend(part.outputs.clone());
                loss.add_weighted(1.0, part);
            }
            Ok(loss)
        }))
    },
};

/// See [`super::FIDELITY`].
pub const FIDELITY: &str = "equations: as the code's loss of mode both, of whose random choice of steps the mask \
    is the result; the divergence along the trajectory is not in it";

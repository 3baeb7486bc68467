//! DanceGRPO: the clipped loss over a random part of each sample's denoising steps.

use super::steps::{CLIP, Steps};
use crate::objectives::NamedObjective;
use crate::objectives::parts::function::function;
use crate::parameters::parameter;

/// `L = sum over samples and trained steps of max(-A r, -A clip(r)) / (accumulation steps)`, with `steps`
/// the number of steps of the sample that are trained: its mask.
pub const DANCE_GRPO: NamedObjective = NamedObjective {
    name: "dance_grpo",
    title: "the clipped loss over sampled denoising steps",
    citation: "Xue et al. 2025, DanceGRPO, arXiv 2505.07818",
    formula: "sum max(-A r, -A clip(r)) / (accumulation steps)",
    parameters: &[
        CLIP,
        &[parameter("gradient_accumulation", "1", "samples that are accumulated before a step")],
    ],
    build: |parameters| {
        let steps = Steps::of(parameters)?;
        let accumulation = parameters.number("gradient_accumulation")?;
        Ok(function("dance_grpo", move |columns| {
            let trained: Vec<f64> =
                columns.ranges().map(|range| range.filter(|&t| columns.mask[t]).count() as f64).collect();
            steps.sum(columns, |sample| 1.0 / (accumulation * trained[sample].max(1.0)))
        }))
    },
};

/// See [`super::FIDELITY`].
pub const FIDELITY: &str = "as the code, of whose random choice of steps the mask is the result";

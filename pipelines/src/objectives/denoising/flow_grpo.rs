//! Flow-GRPO: the clipped loss over denoising steps, with the divergence of the step's mean.

use super::steps::{CLIP, Steps, trained};
use crate::objectives::NamedObjective;
use crate::objectives::parts::function::function;
use crate::parameters::parameter;

/// `L = mean of max(-A r, -A clip(r)) + beta KL` over trained steps, with
/// `KL = mean over elements of (mean - mean_ref)^2 / (2 s^2)`.
///
/// The signals `mean_shift` (the mean square, per step) and `sde_std` (`s`), which a
/// [`Step`](meed_operators::objectives::denoising::Step) has, are read where `beta` is not
/// 0; the gradient with respect to `mean_shift` is in
/// [`Loss::signals`](meed_operators::objectives::Loss::signals). The reference takes one step number at a
/// time: a batch whose mask holds that step only.
pub const FLOW_GRPO: NamedObjective = NamedObjective {
    name: "flow_grpo",
    title: "the clipped loss over denoising steps, with a divergence of means",
    citation: "Liu et al. 2025, Flow-GRPO, arXiv 2505.05470",
    formula: "mean max(-A r, -A clip(r)) + beta (mean - mean_ref)^2 / (2 s^2)",
    parameters: &[
        CLIP,
        &[
            parameter("beta", "0.04", "weight of the divergence"),
            parameter("exact_kl", "false", "divide by |dt| too, as the Gaussian does; reads the signal dt"),
        ],
    ],
    build: |parameters| {
        let steps = Steps::of(parameters)?;
        let (beta, exact) = (parameters.number("beta")?, parameters.boolean("exact_kl")?);
        Ok(function("flow_grpo", move |columns| {
            let share = 1.0 / trained(columns).max(1.0);
            let mut loss = steps.sum(columns, |_| share)?;
            if beta == 0.0 {
                return Ok(loss);
            }
            let shift = columns.token_signal("mean_shift")?;
            let std = columns.token_signal("sde_std")?;
            let dt = if exact { Some(columns.token_signal("dt")?) } else { None };
            let (mut kl, mut gradient) = (0.0, vec![0.0; columns.tokens()]);
            for t in (0..columns.tokens()).filter(|&t| columns.mask[t]) {
                let per = share / (2.0 * std[t] * std[t] * dt.map_or(1.0, |dt| dt[t].abs()));
                kl += per * shift[t];
                gradient[t] = beta * per;
            }
            loss.value += beta * kl;
            loss.parts.insert("kl".into(), kl);
            loss.signals.insert("mean_shift".into(), gradient);
            Ok(loss)
        }))
    },
};

/// See [`super::FIDELITY`].
pub const FIDELITY: &str = "as the code, whose divergence leaves out |dt| (exact_kl=true has it)";

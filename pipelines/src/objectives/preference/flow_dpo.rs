//! Flow-DPO: preference by how well a flow model predicts the velocity of two samples.

use meed_operators::objectives::preference::{Scores, mean_over_pairs, preferred, sigmoid};

use crate::objectives::NamedObjective;
use crate::objectives::parts::function::function;
use crate::parameters::parameter;

/// `L = -log sigmoid(-(b/2) ((e_w - e_w_ref) - (e_l - e_l_ref)))` with `e` the mean over elements of
/// `(v - v_model(x_t, t))^2`, at one noise level and noise for both.
///
/// The log-probability of a denoising step is the Gaussian's, up to a constant: the batch has `-e` in
/// `logprobs`, `-e_ref` in `ref_logprobs`, one position per rollout, and the gradient is with respect to
/// `-e`. It is DPO with `beta = b/2`. Pairs of the online form are
/// [`best_against_worst`](meed_operators::objectives::preference::best_against_worst).
pub const FLOW_DPO: NamedObjective = NamedObjective {
    name: "flow_dpo",
    title: "DPO on squared errors of a flow model",
    citation: "Liu et al. 2025, Improving Video Generation with Human Feedback, arXiv 2501.13918, equation 6",
    formula: "-log sigmoid(-(b/2) ((e_w - e_w_ref) - (e_l - e_l_ref)))",
    parameters: &[&[parameter(
        "beta",
        "100",
        "b; constant over noise levels, as the paper and its code choose",
    )]],
    build: |parameters| {
        let half = parameters.number("beta")? / 2.0;
        Ok(function("flow_dpo", move |columns| {
            let scores = Scores::log_ratios(columns)?.per_token(columns);
            let mut loss = mean_over_pairs(columns, &scores, |_, w, l| sigmoid(half, 0.0, w, l))?;
            let rewards: Vec<f64> = scores.values.iter().map(|score| half * score).collect();
            preferred(&mut loss, &columns.pairs, &rewards);
            Ok(loss)
        }))
    },
};

/// See [`super::FIDELITY`].
pub const FIDELITY: &str = "equations: number 6 of the paper, with the constant b of the code. Where a \
    rollout has several positions (noise levels) their mean is taken, which the paper does not have. A \
    group of equal rewards has no pair; the code makes one of its first two";

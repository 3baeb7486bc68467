//! MiniRL: a masked policy gradient with an importance weight to the sampling policy.

use meed_operators::objectives::MiniRl;

use crate::objectives::NamedObjective;
use crate::objectives::parts::{ANCHOR, SEEN, SPAN, TERMS, aggregate_by, policy};
use crate::parameters::{Parameter, parameter};

const PARAMETERS: &[Parameter] = &[
    parameter("clip_low", "0.2", "a token of negative advantage is masked below 1 - clip_low"),
    parameter("clip_high", "0.27", "a token of positive advantage is masked above 1 + clip_high"),
    parameter(
        "correction",
        r#"{"kind": "tis", "upper": 5, "numerator": "current"}"#,
        "the weight pi / mu: tis (truncated), icepop (0 outside), or with level sequence, any, ...; as the parameter of ppo_clip",
    ),
];

/// `-M sg(min(pi / mu, 5)) A log pi, M = 0 where r left 1 - clip_low..1 + clip_high along A`.
pub const MINIRL: NamedObjective = NamedObjective {
    name: "minirl",
    title: "REINFORCE masked by the ratio to the old policy, weighted by the ratio to the sampling one",
    citation: "arXiv 2512.01374",
    formula: "-M sg(min(pi / mu, 5)) A log pi, M = 0 where r left 1 - clip_low..1 + clip_high along A",
    parameters: &[PARAMETERS, ANCHOR, &SPAN, SEEN, &aggregate_by("seq_mean_token_sum"), TERMS],
    build: |parameters| {
        let (low, high) = (parameters.number("clip_low")?, parameters.number("clip_high")?);
        Ok(Box::new(policy("minirl", parameters, MiniRl { low, high })?))
    },
};

/// See [`super::FIDELITY`].
pub const FIDELITY: &str = "equations: read second-hand. Replaying the routing of experts (R2, R3) is not part of it; \
    the advantage without a deviation is that of grpo with scale=none";

#[cfg(test)]
mod tests {
    use meed_operators::objectives::Columns;
    use serde_json::{Value, json};

    use super::*;

    /// `r = [1.1, 1.3, 0.9, 0.7]`, `pi / mu = [1, 6, 1.2, 0.8]`, `A = [0.5, 0.5, -0.5, -0.5]`.
    fn coefficients(settings: &[(String, Value)]) -> Vec<f64> {
        let logprobs = vec![-1.0; 4];
        let minus = |ratios: [f64; 4]| ratios.map(|ratio| -1.0 - ratio.ln()).to_vec();
        let columns = Columns {
            offsets: vec![0, 4],
            mask: vec![true; 4],
            logprobs,
            old_logprobs: Some(minus([1.1, 1.3, 0.9, 0.7])),
            rollout_logprobs: Some(minus([1.0, 6.0, 1.2, 0.8])),
            advantages: vec![0.5, 0.5, -0.5, -0.5],
            ..Columns::default()
        };
        MINIRL.with(settings).unwrap().loss(&columns).unwrap().logprobs.iter().map(|g| -g).collect()
    }

    fn close(got: Vec<f64>, want: [f64; 4]) {
        assert!(got.iter().zip(want).all(|(got, want)| (got - want).abs() < 1e-12), "{got:?} {want:?}");
    }

    #[test]
    fn the_worked_example() {
        close(coefficients(&[]), [0.5, 0.0, -0.6, 0.0]);
    }

    #[test]
    fn icepop_and_a_sequence_mask_take_the_place_of_truncation() {
        let icepop = json!({"kind": "icepop", "lower": 0.5, "upper": 1.1, "numerator": "current"});
        close(coefficients(&[("correction".into(), icepop)]), [0.5, 0.0, 0.0, 0.0]);
        let any = json!({"kind": "mask", "level": "any", "upper": 5, "numerator": "current"});
        close(coefficients(&[("correction".into(), any)]), [0.0; 4]);
    }
}

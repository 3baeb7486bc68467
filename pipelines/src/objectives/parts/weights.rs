//! Parameters of what weighs or drops tokens.

use meed_operators::Result;
use meed_operators::objectives::{Anchor, EntropyMask, OffPolicyMask, RowWeights, TokenFactor, Weighting};

use super::correction::corrections;
use crate::parameters::{Parameter, Parameters, parameter};

/// Corrections and masks of token losses.
pub const WEIGHTS: &[Parameter] = &[
    parameter(
        "correction",
        "null",
        "null, one off-policy correction or a list: {kind: is, tis (clamped), icepop (0 outside), mask, total_variation, second_moment; level: token, sequence (product), geometric, max, any, segment; weight (level of a mask's weight); statistic: ratio, k1, k2, k3, probability; lower, upper, numerator: old, current; clamp_log_ratio, batch_normalize, of_kept, uncounted, reversed}",
    ),
    parameter(
        "entropy_mask",
        "null",
        "fraction of the tokens, those of highest entropy, that have a policy loss",
    ),
    parameter(
        "off_policy_mask",
        "null",
        "null, or {threshold, anchor: rollout, old}: tokens of negative advantage are dropped where the mean log(anchor / current) of the rollout is above the threshold",
    ),
    parameter(
        "row_weights",
        "null",
        "null; shorter: favours short rollouts; harder: those of high `difficulty`",
    ),
    parameter("token_factor", "null", "a signal that multiplies token losses"),
];

/// The weightings of the parameters, in order.
///
/// # Errors
/// Unknown fields and values, by name.
pub fn weightings(parameters: &Parameters) -> Result<Vec<Box<dyn Weighting>>> {
    let mut weightings = corrections(parameters.get("correction"))?;
    if let Some(keep_top) = parameters.optional_number("entropy_mask")? {
        weightings.push(Box::new(EntropyMask { keep_top }));
    }
    if let Some(fields) = parameters.object("off_policy_mask", &["threshold", "anchor"])? {
        let anchor = match fields.text("anchor")? {
            "rollout" | "" => Anchor::Rollout,
            "old" => Anchor::Old,
            _ => return Err(fields.unknown("anchor", &["rollout", "old"])),
        };
        let Some(threshold) = fields.number("threshold")? else {
            return Err(fields.unknown("threshold", &["a number, above which tokens are dropped"]));
        };
        weightings.push(Box::new(OffPolicyMask { anchor, threshold }));
    }
    match parameters.text("row_weights")? {
        "" => {}
        "shorter" => weightings.push(Box::new(RowWeights::Shorter)),
        "harder" => weightings.push(Box::new(RowWeights::Harder("difficulty".into()))),
        _ => return Err(parameters.unknown("row_weights", &["shorter", "harder"])),
    }
    if !parameters.is_null("token_factor") {
        weightings.push(Box::new(TokenFactor(parameters.text("token_factor")?.to_owned())));
    }
    Ok(weightings)
}

//! Parameters of a clip.

use meed_operators::Result;
use meed_operators::objectives::Clip;

use crate::parameters::{Parameter, Parameters, parameter};

/// Bounds of a clip, with given offsets.
pub const fn clip_by(low: &'static str, high: &'static str) -> [Parameter; 6] {
    [
        parameter(
            "clip_low",
            low,
            "the ratio is clipped at 1 - clip_low; token_clip_low overrides it per token",
        ),
        parameter("clip_high", high, "the ratio is clipped at 1 + clip_high; token_clip_high overrides it"),
        parameter("ratio_low", "null", "lower bound as an absolute ratio, in place of clip_low"),
        parameter("ratio_high", "null", "upper bound as an absolute ratio, in place of clip_high"),
        parameter(
            "dual_clip",
            "null",
            "bound c of the loss -A c where the advantage is negative (3 in verl)",
        ),
        parameter("delta", "null", "the unclipped branch takes min(r, delta) (two-sided clip)"),
    ]
}

/// The clip of the parameters.
pub fn clip(parameters: &Parameters) -> Result<Clip> {
    let (low, high) = (parameters.number("clip_low")?, parameters.number("clip_high")?);
    Ok(Clip {
        low: parameters.optional_number("ratio_low")?.unwrap_or(1.0 - low),
        high: parameters.optional_number("ratio_high")?.unwrap_or(1.0 + high),
        dual: parameters.optional_number("dual_clip")?,
        delta: parameters.optional_number("delta")?,
    })
}

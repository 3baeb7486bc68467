//! InstructVideo: rewards of a few frames, weighed by their distance from the middle of the video.

use meed_operators::credit::{Credit, Expr, Level, ROLLOUT, Reduction, count, index, random, signal};

use crate::inputs::{Input, Of, items};
use crate::parameters::{Parameter, parameter};
use crate::parts::steps::truth;
use crate::recipe::{Fidelity, REWARD, Recipe};

const INPUTS: &[Input] = &[items(
    "frame_rewards",
    Of::Number,
    "reward of each frame of the video; null where it was not scored",
    "an image reward model on the frames, or on one frame of each segment",
)];

const PARAMETERS: &[Parameter] = &[
    parameter(
        "sampling",
        "segments",
        "segments: one frame of each of equal segments is drawn; scored: all frames that have a reward count",
    ),
    parameter("segments", "4", "number of segments"),
    parameter("seed", "0", "of the draw"),
    parameter("attenuation", "1.0", "how fast the weight falls with the distance in frames"),
];

/// InstructVideo: `r = mean over s of exp(-lambda |f_s - F // 2|) r(f_s)`, with one frame `f_s` drawn of each of
/// `S` segments that integer division cuts the `F` frames into. A drawn frame without a reward does not count.
///
/// `frame_weights` are the coefficients of the frames. The loss is `1 - r`.
pub const INSTRUCTVIDEO: Recipe = Recipe {
    name: "instructvideo",
    title: "rewards of sampled frames, attenuated with the distance from the middle",
    citation: "InstructVideo: Instructing Video Diffusion Models with Human Feedback; ali-vilab/VGen",
    family: "denoising",
    formula: "r = mean_s exp(-lambda |f_s - F // 2|) r(f_s)",
    fidelity: Fidelity::Equations,
    deviations: "the mean is over the frames that count, fewer than the segments where a drawn frame has no reward; the gradient through the last denoising step and the factor for closeness to the data are the trainer's",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let frame = || Level::from("frame");
        let rewards = || signal("frame_rewards");
        let counted = match parameters.text("sampling")? {
            "segments" => {
                let (segments, seed) = (parameters.small("segments")?, parameters.number("seed")? as u64);
                let drawn = (0..segments).map(|s| drawn(s, segments, seed)).reduce(Expr::or);
                drawn.ok_or_else(|| parameters.unknown("segments", &["a number from 1 on"]))?
            }
            "scored" => truth(),
            _ => return Err(parameters.unknown("sampling", &["segments", "scored"])),
        };
        let distance = (index(frame()) - (count(frame()) / 2.0).floor()).abs();
        let weight = (-parameters.number("attenuation")? * distance).exp();
        let weight = weight.null_if(counted.negated());
        Ok(Credit::new()
            .define("frame_weights", weight)
            .define("rewards", (signal("frame_weights") * rewards()).reduce(ROLLOUT, Reduction::Mean))
            .into())
    },
    ..REWARD
};

/// True at the frame that is drawn of a segment: `floor(s F / S)` is its first frame.
fn drawn(segment: u8, segments: u8, seed: u64) -> Expr {
    let frames = || count(Level::from("frame"));
    let begin = |segment: u8| (frames() * f64::from(segment) / f64::from(segments)).floor();
    let width = begin(segment + 1) - begin(segment);
    let draw = random(ROLLOUT, seed + u64::from(segment));
    index(Level::from("frame"))
        .equals(begin(segment) + (draw * width.clone()).floor())
        .and(width.greater(0.0))
}

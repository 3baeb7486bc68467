//! SRUM: scores of image regions as weights of latent cells.

use meed_operators::credit::{Credit, signal};

use crate::inputs::{Input, Of, input, items};
use crate::parameters::{Parameter, parameter};
use crate::recipe::{Fidelity, REWARD, Recipe};

const INPUTS: &[Input] = &[
    items(
        "cell_scores",
        Of::Number,
        "per latent cell the best score, from -1 to 1, of the image regions that cover it; null where none does",
        "a judge that scores boxes of the image, brought to the cells of the latent",
    ),
    input("global_score", Of::Number, "score of the whole image, from -1 to 1", "the same judge"),
];

const PARAMETERS: &[Parameter] =
    &[parameter("base", "0.5", "weight of a cell that no region covers, and least weight of the others")];

/// SRUM: `M = max(base, max over regions of (score + 1) / 2) (global + 1) / 2` per latent cell.
///
/// Weights are in `0..=1`, as the code has them, though its comments speak of `-1..=1`: a bad region is weighed
/// less and never pushed away, and one below 0 has the base. The objective `srum` imitates the model's own image
/// with these weights.
pub const SRUM: Recipe = Recipe {
    name: "srum",
    title: "weights of latent cells from scores of image regions",
    citation: "SRUM: Fine-Grained Self-Rewarding for Unified Multimodal Models; WayneJin0918/SRUM",
    family: "denoising",
    objective: ("srum", &[]),
    formula: "M = max(0.5, max_regions (s + 1) / 2) (global + 1) / 2",
    fidelity: Fidelity::Equations,
    deviations: "a cell has the best score of the regions that cover it, where the code draws the boxes at the image's size and interpolates to the cells",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let base = parameters.number("base")?;
        let local = ((signal("cell_scores") + 1.0) / 2.0).max(base).or_else(base);
        Ok(Credit::new().define("cell_weights", local * (signal("global_score") + 1.0) / 2.0).into())
    },
    ..REWARD
};

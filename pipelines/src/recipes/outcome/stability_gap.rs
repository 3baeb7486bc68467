//! Mitigating the stability gap: several epochs over the best part of the data, mixed with what came before.

use meed_operators::credit::{
    Credit, ROLLOUT, batch, if_present, members, rank, signal, trainable, value, when,
};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::steps::where_used;
use crate::recipe::{Fidelity, Recipe, SELECTION};

const INPUTS: &[Input] = &[
    input(
        "quality",
        Of::Number,
        "quality of the row, the higher the better; read of new rows only",
        "a judge of quality, or an import",
    ),
    input(
        "from_original",
        Of::Flag,
        "true for rows of the mixture that the model was trained on before; without the column none is",
        "an import of both mixtures",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter("share", "0.1", "part of the new rows that is selected, the best ones"),
    parameter("original_ratio", "0.3", "part of the selection that rows of the original mixture make up"),
    parameter("epochs", "4", "how often the selection is gone through"),
];

/// Of the new rows the best `share`; of the original mixture, in canonical order, as many as make up
/// `original_ratio` of the selection; `repeats` is how often a row is trained on, 0 or `epochs`.
pub const STABILITY_GAP: Recipe = Recipe {
    name: "stability_gap",
    title: "the best part of the new data, several times, mixed with the original mixture",
    citation: "Guo et al. 2024, Efficient Continual Pre-training by Mitigating the Stability Gap, arXiv 2406.14833",
    family: "outcome",
    formula: "repeats = epochs [rank(quality) < share * n], with original_ratio of the original mixture",
    fidelity: Fidelity::Reconstructed,
    deviations: "from the abstract, which has no equation: share, ratio and epochs are guesses, and how quality is scored is left to a judge",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let original = || signal("is_original");
        let of = |condition| trainable().only(condition);
        let new = || original().negated();
        let ratio = parameters.number("original_ratio")?;
        if !(0.0..1.0).contains(&ratio) {
            return Err(parameters.unknown("original_ratio", &["a number in 0..1"]));
        }
        let quality = || when(original(), 0.0, where_used(signal("quality")));
        let part = members(quality(), batch()).over(of(new())) * parameters.number("share")?;
        // A whole number may come out a little too great, or too small.
        let wanted = (part - 1e-9).ceil().max(0.0);
        let best = rank(quality(), batch(), false).over(of(new())).less(signal("wanted"));
        let mixed = (signal("wanted") * ratio / (1.0 - ratio) + 1e-9).floor();
        let first = rank(value(0.0).spread(ROLLOUT), batch(), true).over(of(original())).less(mixed);
        let taken = when(original(), first, best);
        Ok(Credit::new()
            .define("is_original", if_present(signal("from_original").equals(1.0), value(1.0).equals(0.0)))
            .define("wanted", wanted)
            .define("repeats", when(taken, parameters.number("epochs")?, 0.0))
            .into())
    },
    ..SELECTION
};

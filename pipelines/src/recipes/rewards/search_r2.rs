//! Search-R2: right answers rewarded by how dense the evidence is that the search found.

use meed_operators::credit::{Credit, Reduction, signal};

use crate::inputs::{Input, Of, items};
use crate::parameters::{Parameter, parameter};
use crate::parts::group::GROUP;
use crate::parts::shaped::{complete, credit_of};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[items(
    "chunk_useful",
    Of::Flag,
    "whether each retrieved chunk helps to answer; an empty list where nothing was retrieved",
    "a judge that reads the question and the chunks",
)];

const PARAMETERS: &[Parameter] = &[
    parameter("density_weight", "1.0", "weight of the share of useful chunks"),
    parameter("combine", "product", "product: r (1 + w d); sum: r + w d, for wrong answers too"),
];

/// Search-R2: `R = r (1 + w d)` with `d` the share of retrieved chunks that are useful, compared in the group.
///
/// What is trained are the tokens of the final trajectory: the prefix that the refiner kept and the suffix that it
/// had written anew. What was discarded is no part of the rollout.
pub const SEARCH_R2: Recipe = Recipe {
    name: "search_r2",
    title: "exact match times the density of useful evidence",
    citation: "Search-R2: Enhancing Search-Integrated Reasoning via Actor-Refiner Collaboration, arXiv 2602.03647",
    family: "rewards",
    formula: "R = r (1 + w d), d = useful chunks / retrieved chunks",
    fidelity: Fidelity::Reconstructed,
    deviations: "read from the abstract; guessed: the product, the weight, the density as a share of chunks, that the discarded suffix is not trained; cutting and writing anew is sampling",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, GROUP],
    plan: |parameters| {
        let weight = parameters.number("density_weight")?;
        let density = complete(signal("chunk_useful"), Reduction::Mean, Some(0.0));
        let outcome = || signal("reward");
        let shaped = match parameters.text("combine")? {
            "product" => outcome() * (1.0 + weight * signal("density")),
            "sum" => outcome() + weight * signal("density"),
            _ => return Err(parameters.unknown("combine", &["product", "sum"])),
        };
        Ok(credit_of(parameters, Credit::new().define("density", density), shaped)?.into())
    },
    ..ADVANTAGE
};

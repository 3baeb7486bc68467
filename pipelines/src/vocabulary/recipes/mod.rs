//! From the words of a method's own golden vectors to the parameters of its recipe, where they differ.

mod actions;
mod agents;
mod denoising;
mod outcome;
mod process;
mod redistribution;
mod rewards;
mod tokens;
mod trees;
mod turns;

use meed_operators::Result;
use serde_json::{Map, Value};

use super::Named;
use crate::recipe::Recipe;

/// The settings of a recipe that a case of its own golden vectors means. A family translates the words
/// of the methods that need it; the words of all others are their recipe's parameters.
///
/// # Errors
/// A word or value that is not known, by name.
pub(super) fn settings(recipe: &Recipe, params: &Map<String, Value>) -> Result<Named> {
    let families = [
        actions::named,
        agents::named,
        denoising::named,
        outcome::named,
        process::named,
        redistribution::named,
        rewards::named,
        tokens::named,
        trees::named,
        turns::named,
    ];
    for family in families {
        if let Some(named) = family(recipe.name, params) {
            return named;
        }
    }
    Ok(Named::Recipe(crate::find(recipe.name)?.name, params.clone().into_iter().collect()))
}

/// The words of `params` as settings, without those in `left_out`: what belongs to the objective, or only
/// describes the case.
fn without(params: &Map<String, Value>, left_out: &[&str]) -> Vec<(String, Value)> {
    let kept = params.iter().filter(|(word, _)| !left_out.contains(&word.as_str()));
    kept.map(|(word, value)| (word.clone(), value.clone())).collect()
}

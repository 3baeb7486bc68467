//! Every method by its name: the recipe, objective, schedule, optimiser, sampler or metric that is its piece.

mod parts;

pub use parts::{PARTS, Part, PartKind};

use serde::Serialize;

use crate::objectives::{NamedObjective, objectives};
use crate::recipe::{Fidelity, Recipe};
use crate::recipes::recipes;

/// A method, with what there is of it.
#[derive(Debug, Clone, Serialize)]
pub struct Method {
    /// Its name.
    pub name: &'static str,
    /// One line about what there is of it.
    pub title: &'static str,
    /// Where it comes from.
    pub citation: &'static str,
    /// What its main piece is: a kind of recipe (`advantage`, `reward`, `selection`), or of [`PartKind`].
    pub kind: &'static str,
    /// How the piece is known to be the method: `reference`, `equations` or `reconstructed`.
    pub fidelity: &'static str,
    /// Where it deviates, what is guessed and what is missing; empty where nothing.
    pub deviations: &'static str,
    /// Its pieces beside the recipe.
    pub parts: Vec<&'static Part>,
}

/// Every method: the recipes in the order of their list, then what has no recipe.
pub fn methods() -> impl Iterator<Item = Method> {
    let of_recipes = recipes().map(of_recipe);
    let is_recipe = |name: &str| recipes().any(|recipe| recipe.name == name);
    let first = |at: usize| PARTS[..at].iter().all(|part| part.method != PARTS[at].method);
    let main = PARTS.iter().enumerate().filter(move |(at, part)| first(*at) && !is_recipe(part.method));
    of_recipes.chain(main.map(|(_, part)| of_part(part)))
}

/// The pieces of a method beside its recipe.
pub fn parts_of(method: &str) -> Vec<&'static Part> {
    PARTS.iter().filter(|part| part.method == method).collect()
}

fn of_recipe(recipe: &'static Recipe) -> Method {
    Method {
        name: recipe.name,
        title: recipe.title,
        citation: recipe.citation,
        kind: recipe.kind.name(),
        fidelity: recipe.fidelity.name(),
        deviations: recipe.deviations,
        parts: parts_of(recipe.name),
    }
}

fn of_part(part: &'static Part) -> Method {
    let objective = part.objective();
    Method {
        name: part.method,
        title: objective.map_or(part.title, |objective| objective.title),
        citation: objective.map_or(part.citation, |objective| objective.citation),
        kind: part.kind.name(),
        fidelity: part.fidelity.map_or("", Fidelity::name),
        deviations: objective.map_or(part.deviations, NamedObjective::fidelity),
        parts: parts_of(part.method),
    }
}

impl Part {
    /// The objective that the piece is.
    fn objective(&self) -> Option<&'static NamedObjective> {
        let of_name = |objective: &&NamedObjective| objective.name == self.name;
        objectives().find(|objective| self.kind == PartKind::Objective && of_name(objective))
    }
}

//! The list of recipes, and how they are found by name.

mod actions;
mod agents;
mod baselines;
mod denoising;
mod outcome;
mod process;
mod redistribution;
mod rewards;
pub mod tokens;
mod trees;
mod turns;

use meed_operators::{Error, Result, near_names};

use crate::recipe::Recipe;

/// Every recipe, one list per family.
pub const RECIPES: &[&[&Recipe]] = &[
    baselines::RECIPES,
    outcome::RECIPES,
    tokens::RECIPES,
    process::RECIPES,
    actions::RECIPES,
    turns::RECIPES,
    agents::RECIPES,
    trees::RECIPES,
    denoising::RECIPES,
    redistribution::RECIPES,
    rewards::RECIPES,
];

/// Every recipe, in the order of the list.
pub fn recipes() -> impl Iterator<Item = &'static Recipe> {
    RECIPES.iter().flat_map(|family| family.iter().copied())
}

/// The recipe of a name.
///
/// # Errors
/// A name that is no recipe; the hint has the nearest ones.
pub fn find(name: &str) -> Result<&'static Recipe> {
    recipes().find(|recipe| recipe.name == name).ok_or_else(|| {
        let near = near_names(name, recipes().map(|recipe| recipe.name));
        let meant =
            if near.is_empty() { String::new() } else { format!("did you mean {}? ", near.join(", ")) };
        Error::usage(format!("no recipe is called `{name}`"), format!("{meant}`meed recipes` lists all"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_every_recipe_builds_with_its_defaults() {
        let mut names: Vec<&str> = recipes().map(|recipe| recipe.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), recipes().count());
        for recipe in recipes() {
            let (_, plan) = recipe.set(&[]).unwrap_or_else(|error| panic!("{}: {error}", recipe.name));
            assert!(plan.credit.expressions().count() > 0, "{}", recipe.name);
        }
    }

    #[test]
    fn objectives_of_recipes_build_with_their_settings() {
        for recipe in recipes() {
            let (name, settings) = recipe.objective;
            let settings: Vec<_> = settings
                .iter()
                .map(|(key, value)| ((*key).to_owned(), crate::parameters::parse(value)))
                .collect();
            let built = crate::find_objective(name).and_then(|objective| objective.with(&settings));
            assert!(
                built.is_ok(),
                "{}: {}",
                recipe.name,
                built.err().map(|error| error.to_string()).unwrap_or_default()
            );
        }
    }

    #[test]
    fn unknown_names_have_a_hint() {
        let error = find("grop").unwrap_err();
        assert!(error.hint().contains("grpo"), "{}", error.hint());
    }
}

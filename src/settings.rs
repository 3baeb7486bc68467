//! Settings of several recipes at once: `key` for all that know it, `recipe.key` for one.

use meed_operators::{Error, Result, near_names};
use meed_pipelines::Recipe;
use meed_pipelines::stored::RecipeSettings;
use serde_json::Value;

/// Gives every setting to the recipes that it is for, and checks them all.
///
/// `recipe.key` is for that recipe, `key` for every recipe that declares such a parameter or, where
/// none does, reads such a signal, which is then bound to another.
///
/// # Errors
/// No recipe, a recipe twice, a setting that no recipe knows (the hint has near names), or a value
/// that a recipe refuses.
pub fn settings_of(
    mut chosen: Vec<RecipeSettings>,
    settings: &[(String, Value)],
) -> Result<Vec<RecipeSettings>> {
    if chosen.is_empty() {
        let hint = "`meed recipes` lists them; --expr takes a program of one's own";
        return Err(Error::usage("no recipe was chosen", hint));
    }
    for (index, one) in chosen.iter().enumerate() {
        let name = one.recipe.name;
        if chosen[..index].iter().any(|other| other.recipe.name == name) {
            return Err(Error::usage(
                format!("recipe {name} is chosen twice"),
                "one run has one row per rollout and recipe; use one run for each setting",
            ));
        }
    }
    // Bindings come last, because parameters decide which signals a recipe reads.
    let is_parameter = |(key, _): &&(String, Value)| {
        let (_, key) = split(key);
        chosen.iter().any(|one| declares(&one.recipe, key))
    };
    let (parameters, bindings): (Vec<_>, Vec<_>) = settings.iter().partition(is_parameter);
    for (key, value) in parameters.into_iter().chain(bindings) {
        set(&mut chosen, key, value)?;
    }
    for one in &chosen {
        one.recipe.set(&one.settings)?;
    }
    Ok(chosen)
}

fn split(key: &str) -> (Option<&str>, &str) {
    match key.split_once('.') {
        Some((recipe, key)) => (Some(recipe), key),
        None => (None, key),
    }
}

fn declares(recipe: &Recipe, key: &str) -> bool {
    let mut declared = recipe.parameters.iter().copied().flatten();
    declared.any(|parameter| parameter.name == key)
}

fn set(chosen: &mut [RecipeSettings], full_key: &str, value: &Value) -> Result<()> {
    let (only, key) = split(full_key);
    let names: Vec<&str> = chosen.iter().map(|one| one.recipe.name).collect();
    if let Some(only) = only {
        let Some(one) = chosen.iter_mut().find(|one| one.recipe.name == only) else {
            return Err(Error::usage(
                format!("`{full_key}`: recipe {only} is not among the chosen ones"),
                format!("chosen: {}", names.join(", ")),
            ));
        };
        let setting = (key.to_owned(), value.clone());
        if !declares(&one.recipe, key) && !binds(one, &setting) {
            return Err(unknown(std::slice::from_ref(one), key));
        }
        one.settings.push(setting);
        return Ok(());
    }
    let setting = (key.to_owned(), value.clone());
    let known = chosen.iter().any(|one| declares(&one.recipe, key));
    let mut taken = false;
    for one in chosen.iter_mut() {
        if declares(&one.recipe, key) || (!known && binds(one, &setting)) {
            one.settings.push(setting.clone());
            taken = true;
        }
    }
    match taken {
        true => Ok(()),
        false => Err(unknown(chosen, key)),
    }
}

/// Whether the recipe reads a signal of that name, given its other settings.
fn binds(one: &RecipeSettings, setting: &(String, Value)) -> bool {
    let mut settings = one.settings.clone();
    settings.push(setting.clone());
    one.recipe.set(&settings).is_ok()
}

fn unknown(chosen: &[RecipeSettings], key: &str) -> Error {
    let names: Vec<&str> = chosen.iter().map(|one| one.recipe.name).collect();
    let declared = chosen.iter().flat_map(|one| one.recipe.parameters.iter().copied().flatten());
    let near = near_names(key, declared.map(|parameter| parameter.name));
    let list = format!("`meed explain {}` lists what can be set", names[0]);
    Error::usage(
        format!("no parameter or input `{key}` in {}", names.join(", ")),
        match near.is_empty() {
            true => list,
            false => format!("did you mean {}? {list}", near.join(", ")),
        },
    )
}

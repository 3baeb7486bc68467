//! Recipes that are a credit program in text: `advantage = reward - mean(reward, by(group))`.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use arrow::datatypes::Schema;
use meed_operators::credit::{ADVANTAGE as ADVANTAGE_SIGNAL, Credit};
use meed_operators::{Error, Result, near_names};
use serde_json::Value;

use crate::parameters::{Parameter, Parameters, parameter};
use crate::recipe::{ADVANTAGE, Plan, Recipe};
use crate::recipes::recipes;
use crate::stored::RecipeSettings;

const PROGRAM: &str = "program";

const PARAMETERS: &[Parameter] = &[parameter(PROGRAM, "", "the credit program")];

impl RecipeSettings {
    /// A recipe that is a credit program in the language of [`Credit::parse`], under a name of its own.
    /// The text is its parameter `program`, and so stands in its rows and in their lineage.
    ///
    /// ```
    /// use meed_pipelines::stored::RecipeSettings;
    /// let own = RecipeSettings::program("centred", "advantage = reward - mean(reward, by(group))")?;
    /// let (parameters, plan) = own.recipe.set(&own.settings)?;
    /// assert_eq!(plan.credit.reads(), ["reward"]);
    /// assert_eq!(parameters.json(), r#"{"program":"advantage = reward - mean(reward, by(group))"}"#);
    /// # Ok::<(), meed_operators::Error>(())
    /// ```
    ///
    /// # Errors
    /// A text that is no program or defines no advantage, and a name that cannot be a recipe's.
    pub fn program(name: &str, text: &str) -> Result<Self> {
        let in_name = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || !name.chars().all(in_name) {
            let hint = "letters, digits, `_` and `-` make a name";
            return Err(Error::usage(format!("`{name}` is no name for a recipe"), hint));
        }
        if recipes().any(|recipe| recipe.name == name) {
            let message = format!("`{name}` is the name of a recipe of meed");
            return Err(Error::usage(message, "give the program another name"));
        }
        let credit = Credit::parse(text)?;
        if credit.get(ADVANTAGE_SIGNAL).is_none() {
            return Err(Error::usage(
                "the program defines no advantage",
                "write `advantage = ...`; other names are steps on the way",
            ));
        }
        let recipe = Recipe {
            name: kept(name),
            title: "credit program of one's own",
            family: "own",
            parameters: &[PARAMETERS],
            plan,
            ..ADVANTAGE
        };
        Ok(RecipeSettings { recipe, settings: vec![(PROGRAM.to_owned(), text.trim().into())] })
    }
}

fn plan(parameters: &Parameters) -> Result<Plan> {
    Ok(Credit::parse(parameters.text(PROGRAM)?)?.into())
}

/// The same name for the rest of the process: names of recipes are static.
fn kept(name: &str) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(name) {
        return known;
    }
    let name: &'static str = name.to_owned().leak();
    names.insert(name);
    name
}

/// An error about a column that a program of one's own reads, as one about the place in its text, with
/// near names among the columns and the program's own; other errors as they are.
pub(crate) fn pointed(error: Error, recipe: &Recipe, settings: &[(String, Value)], schema: &Schema) -> Error {
    let is_program = recipe.declared().iter().any(|parameter| parameter.name == PROGRAM);
    let text = settings.iter().rev().find(|(key, _)| is_program && key == PROGRAM);
    let (Error::MissingSignal { signal, hint, .. }, Some(text)) =
        (&error, text.and_then(|(_, text)| text.as_str()))
    else {
        return error;
    };
    let credit = Credit::parse(text).unwrap_or_default();
    let columns = schema.fields().iter().map(|field| field.name().as_str());
    let near = near_names(signal, columns.chain(credit.expressions().map(|(name, _)| name)));
    let hint = match near.is_empty() {
        true => hint.clone(),
        false => format!("did you mean {}? {hint}", near.join(", ")),
    };
    // A level that the data does not have is a missing column `<level>_…`.
    let name = signal.strip_suffix("_…").unwrap_or(signal);
    Credit::failure_at_name(text, name, &format!("{}: the data has no column `{signal}`", recipe.name), &hint)
}

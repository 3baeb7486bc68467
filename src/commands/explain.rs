//! `meed explain`: what a recipe is made of, and what it needs.

use std::fmt::Write;

use meed::catalog::Catalog;
use meed::operators::credit::{Checked, Reach};
use meed::pipelines::parameters::parse;
use meed::pipelines::presets::PRESETS;
use meed::pipelines::stored::RecipeSettings;
use meed::pipelines::{Parameters, Plan, Recipe};
use meed::{Address, Result, recipe, rollout_schema, settings_of};

use crate::arguments::{Arguments, ExplainArguments};
use crate::output::{Output, columns};

pub fn run(arguments: &Arguments, own: &ExplainArguments) -> Result<()> {
    let mut chosen = Vec::new();
    if let Some(name) = &own.recipe {
        chosen.push(RecipeSettings::from(&recipe(name)?));
    }
    for (name, program) in own.programs.named()? {
        chosen.push(RecipeSettings::program(name, program)?);
    }
    settings_of(chosen, &own.settings.set)?.iter().try_for_each(|one| explain(arguments, own, one))
}

fn explain(arguments: &Arguments, own: &ExplainArguments, chosen: &RecipeSettings) -> Result<()> {
    let recipe = &chosen.recipe;
    let (parameters, plan) = recipe.set(&chosen.settings)?;
    let checked = match &own.from {
        None => None,
        Some(from) => {
            let catalog = Catalog::open(&arguments.catalog)?;
            let schema = rollout_schema(&Address::parse(from)?, &catalog)?;
            // What the recipe is, is worth reading also where the data lacks a column.
            Some(recipe.ready(&chosen.settings, &schema).map(|ready| ready.assignment.checked))
        }
    };
    let mut text = head(recipe);
    // The only parameter of a program is its text.
    if own.recipe.is_some() {
        text.push_str(&table(recipe, &parameters));
    }
    match &checked {
        Some(Ok(checked)) => credit(&mut text, &checked.credit.to_string()),
        _ => credit(&mut text, &plan.credit.to_string()),
    }
    operators(&mut text, &plan);
    if let Some(Ok(checked)) = &checked {
        needs(&mut text, checked);
    }
    Output::new().text(&text)?;
    checked.transpose().map(|_| ())
}

fn head(recipe: &Recipe) -> String {
    let lines = [
        ("formula", recipe.formula),
        ("citation", recipe.citation),
        ("fidelity", if recipe.citation.is_empty() { "" } else { recipe.fidelity.name() }),
        ("deviates", recipe.deviations),
        ("gives", recipe.kind.name()),
    ];
    let mut text = format!("{}: {}\n", recipe.name, recipe.title);
    for (what, line) in lines.iter().filter(|(_, line)| !line.is_empty()) {
        text.push_str(&format!("{what:<9} {line}\n"));
    }
    text
}

fn table(recipe: &Recipe, parameters: &Parameters) -> String {
    let declared = recipe.declared();
    if declared.is_empty() {
        return "\nno parameters\n".to_owned();
    }
    let mut rows = vec![["parameter", "value", "default", "meaning"].map(str::to_owned).to_vec()];
    for parameter in &declared {
        let (value, default) = (parameters.get(parameter.name), parse(parameter.default));
        rows.push(vec![
            parameter.name.to_owned(),
            value.to_string(),
            default.to_string(),
            parameter.meaning.to_owned(),
        ]);
    }
    let mut text = format!("\n{}", columns(&rows));
    if declared.iter().any(|parameter| parameter.name == "preset") {
        let presets: Vec<Vec<String>> =
            PRESETS.iter().map(|preset| vec![preset.name.to_owned(), preset.meaning.to_owned()]).collect();
        text.push_str(&format!("\npresets\n{}", columns(&presets)));
    }
    text
}

fn credit(text: &mut String, program: &str) {
    text.push_str("\ncredit\n");
    for line in program.lines() {
        text.push_str(&format!("  {line}\n"));
    }
}

fn operators(text: &mut String, plan: &Plan) {
    for operator in &plan.operators {
        let adds: Vec<String> = operator.adds().iter().map(|field| field.name().clone()).collect();
        text.push_str(&format!(
            "\nneeds operator {}: reads {}, adds {}\n",
            operator.name(),
            operator.reads().join(", "),
            adds.join(", ")
        ));
    }
}

fn needs(text: &mut String, checked: &Checked) {
    let reach = match checked.reach {
        Reach::Row => "one rollout".to_owned(),
        Reach::Group => "one group".to_owned(),
        Reach::Batch { passes } => {
            format!("one iteration, in {passes} passes over the data before the main one")
        }
    };
    // Writing to a string does not fail.
    let _ = writeln!(text, "\nlooks at  {reach}\nreads     {}", checked.columns.join(", "));
    if !checked.required.is_empty() {
        let _ = writeln!(
            text,
            "requires  {} (a rollout with a null there is left out)",
            checked.required.join(", ")
        );
    }
}

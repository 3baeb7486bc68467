//! `meed explain`: what a recipe is made of, and what it needs.

use arrow::datatypes::Schema;
use meed::catalog::Catalog;
use meed::pipelines::Description;
use meed::pipelines::description::{Need, ReadColumn, looks};
use meed::pipelines::presets::PRESETS;
use meed::pipelines::stored::RecipeSettings;
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
    let chosen = settings_of(chosen, &own.settings.set)?;
    let schema = match &own.from {
        None => None,
        Some(from) => Some(rollout_schema(&Address::parse(from)?, &Catalog::open(&arguments.catalog)?)?),
    };
    for one in &chosen {
        let text = match own.recipe {
            Some(_) => {
                let has = |name: &str| schema.as_ref().map(|schema| schema.column_with_name(name).is_some());
                text(&one.recipe.describe(&one.settings, schema.as_deref())?, has)
            }
            None => program(one, schema.as_deref())?,
        };
        Output::new().text(&text)?;
        // What the recipe is, is worth reading also where the data lacks a column.
        if let Some(schema) = &schema {
            one.recipe.ready(&one.settings, schema)?;
        }
    }
    Ok(())
}

/// A program of one's own: what its columns are, only data can tell.
fn program(chosen: &RecipeSettings, schema: Option<&Schema>) -> Result<String> {
    let (recipe, plan) = (&chosen.recipe, chosen.recipe.set(&chosen.settings)?.1);
    let ready = schema.and_then(|schema| recipe.ready(&chosen.settings, schema).ok());
    let credit = ready.as_ref().map_or(&plan.credit, |ready| &ready.assignment.checked.credit).to_string();
    let mut text = format!("{}: {}\n\ncredit\n", recipe.name, recipe.title);
    credit.lines().for_each(|line| text.push_str(&format!("  {line}\n")));
    if let Some(ready) = ready {
        let (looks, checked) = (looks(ready.reach(), &plan).words(), &ready.assignment.checked);
        text.push_str(&format!("\nlooks at  {looks}\nreads     {}\n", checked.columns.join(", ")));
        if !checked.required.is_empty() {
            let required = checked.required.join(", ");
            text.push_str(&format!("requires  {required} (a rollout with a null there is left out)\n"));
        }
    }
    Ok(text)
}

fn text(recipe: &Description, has: impl Fn(&str) -> Option<bool>) -> String {
    let mut text = head(recipe);
    text.push_str(&inputs(&recipe.inputs, has));
    text.push_str(&parameters(recipe));
    text.push_str("\ncredit\n");
    recipe.credit.iter().for_each(|line| text.push_str(&format!("  {line}\n")));
    for operator in &recipe.operators {
        let (reads, adds) = (operator.reads.join(", "), operator.adds.join(", "));
        text.push_str(&format!("\nneeds operator {}: reads {reads}, adds {adds}\n", operator.name));
    }
    text
}

fn head(recipe: &Description) -> String {
    let objective = recipe.objective.as_ref().map(|objective| {
        let settings = objective.settings.iter().map(|(name, value)| format!(" {name}={value}"));
        format!("{}{}", objective.name, settings.collect::<String>())
    });
    let lines = [
        ("formula", recipe.formula.to_owned()),
        ("citation", recipe.citation.to_owned()),
        ("fidelity", recipe.fidelity.to_owned()),
        ("deviates", recipe.deviations.to_owned()),
        ("gives", recipe.kind.to_owned()),
        ("objective", objective.unwrap_or_default()),
        ("looks at", recipe.reach.words()),
    ];
    let mut text = format!("{}: {}\n", recipe.name, recipe.title);
    for (what, line) in lines.iter().filter(|(_, line)| !line.is_empty()) {
        text.push_str(&format!("{what:<9} {line}\n"));
    }
    text
}

/// The columns; with data, also whether it has them.
fn inputs(read: &[ReadColumn], has: impl Fn(&str) -> Option<bool>) -> String {
    if read.is_empty() {
        return "\nreads no columns beside the keys and token_mask\n".to_owned();
    }
    let with_data = has("token_mask").is_some();
    let mut head = vec!["column", "level", "values", "need"];
    head.extend(with_data.then_some("data"));
    head.push("meaning, and what provides it");
    let mut rows = vec![head.into_iter().map(str::to_owned).collect::<Vec<String>>()];
    for column in read {
        let need = match column.need {
            Need::Required if column.null_leaves_out => "required",
            Need::Required => "required, may be null",
            other => other.name(),
        };
        let mut row =
            vec![column.name.clone(), column.level.clone(), column.values.to_owned(), need.to_owned()];
        row.extend(has(&column.name).map(|has| if has { "has it" } else { "-" }.to_owned()));
        let parts = [column.meaning, column.provider];
        row.push(parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; from: "));
        rows.push(row);
    }
    let mut text = format!("\n{}", columns(&rows));
    if read.iter().any(|column| column.need == Need::Required && column.null_leaves_out) {
        text.push_str("a rollout with a null in a required column is left out\n");
    }
    if read.iter().any(|column| column.need == Need::Substitute) {
        text.push_str("a substitute is read in the place of a column that the data lacks\n");
    }
    text
}

fn parameters(recipe: &Description) -> String {
    if recipe.parameters.is_empty() {
        return "\nno parameters\n".to_owned();
    }
    let mut rows = vec![["parameter", "value", "default", "meaning"].map(str::to_owned).to_vec()];
    for parameter in &recipe.parameters {
        let (value, default) = (parameter.value.to_string(), parameter.default.to_string());
        rows.push(vec![parameter.name.to_owned(), value, default, parameter.meaning.to_owned()]);
    }
    let mut text = format!("\n{}", columns(&rows));
    if recipe.parameters.iter().any(|parameter| parameter.name == "preset") {
        let presets: Vec<Vec<String>> =
            PRESETS.iter().map(|preset| vec![preset.name.to_owned(), preset.meaning.to_owned()]).collect();
        text.push_str(&format!("\npresets\n{}", columns(&presets)));
    }
    text
}

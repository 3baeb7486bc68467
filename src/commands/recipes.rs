//! `meed recipes`: the list of recipes.

use meed::Result;
use meed::pipelines::parameters::parse;
use meed::pipelines::{Recipe, recipes};
use serde_json::{Value, json};

use crate::output::{Output, columns};

pub fn run(as_json: bool) -> Result<()> {
    if as_json {
        let all: Vec<Value> = recipes().map(describe).collect();
        return Output::new().json(&Value::Array(all));
    }
    let head = ["recipe", "family", "gives", "what it is"].map(str::to_owned).to_vec();
    let rows = recipes().map(|recipe| {
        [recipe.name, recipe.family, recipe.kind.name(), recipe.title].map(str::to_owned).to_vec()
    });
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    Output::new().text(&columns(&rows))
}

fn describe(recipe: &Recipe) -> Value {
    let parameters = recipe.declared().into_iter().map(|parameter| {
        json!({ "name": parameter.name, "default": parse(parameter.default), "meaning": parameter.meaning })
    });
    json!({
        "name": recipe.name,
        "title": recipe.title,
        "family": recipe.family,
        "kind": recipe.kind.name(),
        "formula": recipe.formula,
        "citation": recipe.citation,
        "fidelity": recipe.fidelity.name(),
        "deviations": recipe.deviations,
        "parameters": parameters.collect::<Vec<Value>>(),
    })
}

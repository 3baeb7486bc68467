//! `meed recipes`: the list of recipes, and of methods whose piece is none.

use meed::pipelines::{Method, description, find, methods};
use meed::{Error, Result};
use serde_json::Value;

use crate::arguments::RecipesArguments;
use crate::output::{Output, columns};

pub fn run(own: &RecipesArguments) -> Result<()> {
    if own.json {
        let failed = |error| Error::external("writing the recipes as JSON", error, "");
        let of_method = |method: Method| match find(method.name) {
            Ok(recipe) => serde_json::to_value(recipe.describe(&[], None)?).map_err(failed),
            Err(_) => serde_json::to_value(method).map_err(failed),
        };
        let all = methods().map(of_method).collect::<Result<Vec<Value>>>()?;
        return Output::new().json(&all.into());
    }
    if own.markdown {
        return Output::new().text(&description::markdown()?);
    }
    let head = ["method", "family", "gives or is", "fidelity", "what it is"].map(str::to_owned).to_vec();
    let rows = methods().map(|method| {
        let family = find(method.name).map_or("", |recipe| recipe.family);
        [method.name, family, method.kind, method.fidelity, method.title].map(str::to_owned).to_vec()
    });
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    Output::new().text(&columns(&rows))
}

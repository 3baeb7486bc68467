//! `meed recipes`: the list of recipes.

use meed::pipelines::{Description, description, recipes};
use meed::{Error, Result};

use crate::arguments::RecipesArguments;
use crate::output::{Output, columns};

pub fn run(own: &RecipesArguments) -> Result<()> {
    if own.json {
        let all: Vec<Description> =
            recipes().map(|recipe| recipe.describe(&[], None)).collect::<Result<_>>()?;
        let all = serde_json::to_value(all)
            .map_err(|error| Error::external("writing the recipes as JSON", error, ""))?;
        return Output::new().json(&all);
    }
    if own.markdown {
        return Output::new().text(&description::markdown()?);
    }
    let head = ["recipe", "family", "gives", "fidelity", "what it is"].map(str::to_owned).to_vec();
    let rows = recipes().map(|recipe| {
        [recipe.name, recipe.family, recipe.kind.name(), recipe.fidelity.name(), recipe.title]
            .map(str::to_owned)
            .to_vec()
    });
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    Output::new().text(&columns(&rows))
}

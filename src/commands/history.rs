//! `meed history`: the commits of a dataset and what made them.

use arrow::temporal_conversions::timestamp_ms_to_datetime;
use meed::Result;
use meed::catalog::{Catalog, Commit, DatasetName, Lineage, table_name};
use meed::operators::columns::Table;
use meed::pipelines::find;
use meed::pipelines::parameters::parse;
use serde_json::{Value, json};

use crate::arguments::Arguments;
use crate::output::Output;

pub fn run(arguments: &Arguments, dataset: &str, as_json: bool) -> Result<()> {
    let catalog = Catalog::open(&arguments.catalog)?;
    let histories = histories(&catalog, dataset)?;
    if as_json {
        let all = histories
            .iter()
            .flat_map(|(name, commits)| commits.iter().map(move |commit| describe(name, commit)));
        return Output::new().json(&all.collect());
    }
    let blocks =
        histories.iter().flat_map(|(name, commits)| commits.iter().map(move |commit| block(name, commit)));
    let blocks: Vec<String> = blocks.collect();
    Output::new().text(&blocks.join("\n"))
}

/// The commits of a dataset and of the tables that belong to it, each newest first. Of an old
/// version only its own.
fn histories(catalog: &Catalog, dataset: &str) -> Result<Vec<(String, Vec<Commit>)>> {
    let name = DatasetName::parse(dataset)?;
    let mut found = Vec::new();
    for table in Table::ALL {
        let wanted = match table {
            Table::Rollouts => dataset.to_owned(),
            _ if name.version.is_some() => continue,
            other => table_name(&name.name, other),
        };
        if let Some(one) = catalog.find(&wanted)? {
            found.push((one.name().to_owned(), one.history()?));
        }
    }
    match found.is_empty() {
        // Says what is there instead.
        true => catalog.history(dataset).map(|commits| vec![(name.name, commits)]),
        false => Ok(found),
    }
}

fn describe(dataset: &str, commit: &Commit) -> Value {
    json!({
        "dataset": dataset,
        "version": commit.version,
        "timestamp": commit.timestamp,
        "operation": commit.operation,
        "rows": commit.rows,
        "files": commit.files,
        "epochs": commit.epochs.map(|(first, last)| [first, last]),
        "clustered_by": commit.clustered_by,
        "lineage": commit.lineage,
    })
}

fn block(dataset: &str, commit: &Commit) -> String {
    let time = commit.timestamp.and_then(timestamp_ms_to_datetime);
    let time = time.map_or_else(
        || "at an unknown time".to_owned(),
        |time| format!("{} UTC", time.format("%Y-%m-%d %H:%M:%S")),
    );
    let rows = commit.rows.map_or_else(|| "an unknown number of".to_owned(), |rows| rows.to_string());
    let mut text = format!(
        "{dataset}@{}  {time}  {}  {rows} rows in {} files\n",
        commit.version, commit.operation, commit.files
    );
    if let Some(lineage) = &commit.lineage {
        for (what, value) in lines(lineage) {
            text.push_str(&format!("  {what:<10} {value}\n"));
        }
    }
    text
}

fn lines(lineage: &Lineage) -> Vec<(&'static str, String)> {
    let mut lines = vec![("command", lineage.command.clone())];
    for input in &lineage.inputs {
        lines.push(("input", format!("{} ({})", input.uri, input.fingerprint)));
    }
    match &lineage.parameters {
        Value::Object(parameters) if !lineage.recipes.is_empty() => {
            for (recipe, values) in parameters {
                lines.push(("recipe", format!("{recipe}{}", changed(recipe, values))));
            }
        }
        Value::Null => {}
        other => lines.push(("parameters", other.to_string())),
    }
    lines.push(("run", lineage.run.clone()));
    lines.push(("meed", lineage.code_version.clone()));
    lines
}

/// The parameters that are not the recipe's defaults of today.
fn changed(recipe: &str, values: &Value) -> String {
    let declared = find(recipe).map(|recipe| recipe.declared()).unwrap_or_default();
    let usual =
        |key: &str, value: &Value| declared.iter().any(|one| one.name == key && parse(one.default) == *value);
    let Value::Object(values) = values else {
        return format!(" {values}");
    };
    let changed: Vec<String> = values
        .iter()
        .filter(|(key, value)| !usual(key, value))
        .map(|(key, value)| format!(" {key}={value}"))
        .collect();
    changed.concat()
}

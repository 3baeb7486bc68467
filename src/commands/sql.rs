//! `meed sql`: queries over datasets and files.

use std::io::{IsTerminal, Read};

use meed::catalog::{Catalog, FUNCTIONS, Format, format};
use meed::{Error, Result, sql_options};

use crate::arguments::{Arguments, RowFormat, SqlArguments};
use crate::output::{Output, columns};

pub fn run(arguments: &Arguments, own: &SqlArguments) -> Result<()> {
    let catalog = Catalog::open(&arguments.catalog)?;
    let query = match &own.query {
        Some(query) => query.clone(),
        None => from_stdin()?,
    };
    let mut output = Output::new();
    if query.trim().is_empty() {
        return output.text(&listing(&catalog)?);
    }
    let format = match own.format {
        RowFormat::Table => Format::Table,
        RowFormat::Csv => Format::Csv,
        RowFormat::Json => Format::Json,
        RowFormat::Parquet => Format::Parquet,
        RowFormat::Arrow => Format::Arrow,
    };
    if matches!(format, Format::Parquet | Format::Arrow) && output.is_terminal() {
        return Err(Error::usage(
            format!("{} is not for a terminal", format.name()),
            "redirect it to a file or another program",
        ));
    }
    let rows = catalog.stream(&query, &sql_options(&catalog))?;
    format::write(format, &rows.schema(), rows, &mut output)?;
    Ok(())
}

/// The query of a pipe or file; nothing where a person would have to type it.
fn from_stdin() -> Result<String> {
    let mut input = std::io::stdin();
    let mut query = String::new();
    if !input.is_terminal() {
        input.read_to_string(&mut query).map_err(|error| {
            Error::external("reading the query from stdin", error, "write it as UTF-8 text")
        })?;
    }
    Ok(query)
}

/// What can be queried, and with which functions.
fn listing(catalog: &Catalog) -> Result<String> {
    let mut text = format!("datasets in {}\n", catalog.uri());
    let names = catalog.names()?;
    if names.is_empty() {
        text.push_str("  none: `meed import` makes one\n");
    }
    for name in names {
        text.push_str(&format!("  {name}\n"));
    }
    text.push_str("\nfunctions\n");
    let functions: Vec<Vec<String>> = FUNCTIONS
        .iter()
        .map(|function| vec![format!("  {}", function.syntax), function.meaning.to_owned()])
        .collect();
    text.push_str(&columns(&functions));
    text.push_str("\nfiles are tables by their path: select count(*) from 'rollouts.parquet'\n");
    Ok(text)
}

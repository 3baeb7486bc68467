//! Failures of SQL as meed's errors: whose fault it is, and what was probably meant.

use meed_operators::Error;

use crate::catalog::Catalog;
use crate::datafusion::common::SchemaError;
use crate::datafusion::error::DataFusionError;
use crate::datafusion::prelude::SessionContext;
use crate::names::near_names;

/// The tables that a query names.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tables(Vec<String>);

impl Tables {
    pub(crate) fn of(session: &SessionContext, query: &str) -> Self {
        let state = session.state();
        let dialect = state.config_options().sql_parser.dialect;
        let names = state
            .sql_to_statement(query, &dialect)
            .and_then(|statement| state.resolve_table_references(&statement))
            .unwrap_or_default();
        Tables(names.iter().map(|name| name.table().to_owned()).collect())
    }
}

/// A failure of a query. What the person who wrote it can correct is a usage error.
pub(crate) fn sql_error(catalog: &Catalog, tables: &Tables, error: DataFusionError) -> Error {
    let error = match into_meed(error) {
        Ok(error) => return error,
        Err(error) => error,
    };
    match error.find_root() {
        DataFusionError::SchemaError(schema, _) => Error::usage(schema.to_string(), column_hint(schema)),
        DataFusionError::SQL(parser, _) => Error::usage(
            format!("the query is not SQL: {parser}"),
            "names with dots, dashes or capitals go in double quotes, texts in single quotes",
        ),
        DataFusionError::Plan(message) => match missing_table(message) {
            Some(table) => no_table(catalog, &table),
            None => Error::usage(message.clone(), "`meed sql` without a query lists tables and functions"),
        },
        DataFusionError::NotImplemented(message) => {
            Error::usage(format!("not supported in SQL: {message}"), "")
        }
        DataFusionError::ResourcesExhausted(message) => Error::external(
            running(tables),
            message.clone(),
            "allow the query more memory, or select fewer columns",
        ),
        root => Error::external(running(tables), root.to_string(), ""),
    }
}

/// meed's own error where one is inside.
fn into_meed(error: DataFusionError) -> Result<Error, DataFusionError> {
    match error {
        DataFusionError::External(inner) => match inner.downcast::<Error>() {
            Ok(own) => Ok(*own),
            Err(inner) => Err(DataFusionError::External(inner)),
        },
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => into_meed(*inner),
        other => Err(other),
    }
}

fn running(tables: &Tables) -> String {
    match tables.0.as_slice() {
        [] => "running the query".to_owned(),
        names => format!("running the query on {}", names.join(", ")),
    }
}

fn column_hint(error: &SchemaError) -> String {
    let SchemaError::FieldNotFound { field, valid_fields } = error else {
        return "write the column as table.column".to_owned();
    };
    let names: Vec<&str> = valid_fields.iter().map(|column| column.name.as_str()).collect();
    let near = near_names(&field.name, names.iter().copied());
    match near.is_empty() {
        false => format!("did you mean {}?", near.join(", ")),
        true if names.is_empty() => "texts go in single quotes".to_owned(),
        true => format!("there are: {}", names.join(", ")),
    }
}

/// The name in DataFusion's message `table 'meed.datasets.<name>' not found`.
fn missing_table(message: &str) -> Option<String> {
    let inside = message.strip_prefix("table '")?.strip_suffix("' not found")?;
    let name = inside.strip_prefix("meed.datasets.").unwrap_or(inside);
    Some(name.to_owned())
}

fn no_table(catalog: &Catalog, table: &str) -> Error {
    let is_path = table.contains('/')
        || [".parquet", ".csv", ".json", ".arrow"].iter().any(|ending| table.ends_with(ending));
    if is_path {
        return Error::usage(
            format!("there is no file `{table}`"),
            "paths are relative to the current directory",
        );
    }
    catalog.no_dataset(table)
}

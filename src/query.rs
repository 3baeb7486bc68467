//! SQL with everything that meed adds to it.

use std::sync::Arc;

use meed_catalog::{CreditFunction, SqlOptions};

use crate::memory_sink::MemorySink;
use crate::pipeline::{Pipeline, recipe};

/// Options with which `credit('<recipe>', '<dataset>')` works, on the datasets of this catalog.
///
/// ```
/// use meed::prelude::*;
/// let catalog = Catalog::open("memory://query")?;
/// let rows = catalog.sql("select 1 + 1 as two", &sql_options(&catalog))?;
/// assert_eq!(rows[0].num_rows(), 1);
/// # Ok::<(), meed::Error>(())
/// ```
pub fn sql_options(catalog: &meed_catalog::Catalog) -> SqlOptions {
    let uri = catalog.uri().to_owned();
    let credit: CreditFunction = Arc::new(move |name, dataset| {
        let sink = MemorySink::default();
        let pipeline = Pipeline::from(dataset)?.catalog(&uri).assign(recipe(name)?);
        pipeline.sink(Arc::new(sink.clone())).run()?;
        Ok(sink.rows())
    });
    SqlOptions { credit: Some(credit), ..SqlOptions::default() }
}

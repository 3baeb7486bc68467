//! `at('<dataset>', <version>)`: a dataset as it was.

use std::fmt;
use std::sync::Arc;

use crate::datafusion::catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider};
use crate::datafusion::error::{DataFusionError, Result};
use crate::datafusion::logical_expr::Expr;
use crate::datafusion::scalar::ScalarValue;
use crate::names::DatasetName;
use crate::runtime::block_on;
use crate::sql::Datasets;

pub(super) struct AtVersion {
    datasets: Arc<Datasets>,
}

impl AtVersion {
    pub(super) fn new(datasets: Arc<Datasets>) -> Self {
        AtVersion { datasets }
    }
}

impl fmt::Debug for AtVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AtVersion")
    }
}

impl TableFunctionImpl for AtVersion {
    fn call_with_args(&self, arguments: TableFunctionArgs) -> Result<Arc<dyn TableProvider>> {
        let (name, version) = match arguments.exprs() {
            [name, version] => (text(name), number(version)),
            _ => (None, None),
        };
        let (Some(name), Some(version)) = (name, version) else {
            return Err(DataFusionError::Plan(
                "at takes the name of a dataset and a version, as in at('gsm8k', 3)".to_owned(),
            ));
        };
        let external = |error: meed_operators::Error| DataFusionError::External(Box::new(error));
        let mut wanted = DatasetName::parse(&name).map_err(external)?;
        wanted.version = Some(version);
        // The function is synchronous, and the schema has to be read now.
        let found = block_on(async { Ok(self.datasets.provider(&wanted).await) }).map_err(external)?;
        found?.ok_or_else(|| external(self.datasets.catalog.no_dataset(&name)))
    }
}

/// A literal text.
pub(super) fn text(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Literal(
            ScalarValue::Utf8(Some(text))
            | ScalarValue::Utf8View(Some(text))
            | ScalarValue::LargeUtf8(Some(text)),
            _,
        ) => Some(text.clone()),
        _ => None,
    }
}

fn number(expression: &Expr) -> Option<u64> {
    match expression {
        Expr::Literal(ScalarValue::Int64(Some(number)), _) => u64::try_from(*number).ok(),
        Expr::Literal(ScalarValue::UInt64(Some(number)), _) => Some(*number),
        _ => None,
    }
}

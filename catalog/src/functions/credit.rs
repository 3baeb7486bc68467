//! `credit('<recipe>', '<dataset>')`: advantages computed while the query runs.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use meed_operators::columns::Table;

use super::at_version::text;
use crate::arrow::array::RecordBatch;
use crate::arrow::datatypes::SchemaRef;
use crate::conform::conform;
use crate::datafusion::catalog::{MemTable, Session, TableFunctionArgs, TableFunctionImpl, TableProvider};
use crate::datafusion::error::{DataFusionError, Result};
use crate::datafusion::logical_expr::{Expr, TableType};
use crate::datafusion::physical_plan::ExecutionPlan;

/// Runs a recipe on a dataset and returns rows of the table `advantages`. Called on a thread where
/// it may block, once for every time that a query reads the function.
pub type CreditFunction = Arc<dyn Fn(&str, &str) -> meed_operators::Result<Vec<RecordBatch>> + Send + Sync>;

pub(super) struct Credit {
    assign: CreditFunction,
}

impl Credit {
    pub(super) fn new(assign: CreditFunction) -> Self {
        Credit { assign }
    }
}

impl fmt::Debug for Credit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credit")
    }
}

impl TableFunctionImpl for Credit {
    fn call_with_args(&self, arguments: TableFunctionArgs) -> Result<Arc<dyn TableProvider>> {
        let (recipe, dataset) = match arguments.exprs() {
            [recipe, dataset] => (text(recipe), text(dataset)),
            _ => (None, None),
        };
        let (Some(recipe), Some(dataset)) = (recipe, dataset) else {
            return Err(DataFusionError::Plan(
                "credit takes a recipe and a dataset, as in credit('grpo', 'gsm8k')".to_owned(),
            ));
        };
        Ok(Arc::new(CreditTable { assign: self.assign.clone(), recipe, dataset }))
    }
}

/// The rows of one call. The recipe runs when they are read, not when the query is planned.
struct CreditTable {
    assign: CreditFunction,
    recipe: String,
    dataset: String,
}

impl fmt::Debug for CreditTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "credit('{}', '{}')", self.recipe, self.dataset)
    }
}

#[async_trait]
impl TableProvider for CreditTable {
    fn schema(&self) -> SchemaRef {
        Table::Advantages.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (assign, recipe, dataset) = (self.assign.clone(), self.recipe.clone(), self.dataset.clone());
        let rows = tokio::task::spawn_blocking(move || {
            let schema = Table::Advantages.schema();
            assign(&recipe, &dataset)?
                .iter()
                .map(|batch| {
                    let batch = conform(batch, &schema, &dataset)?;
                    full(&batch, &schema)
                })
                .collect::<meed_operators::Result<Vec<_>>>()
        })
        .await
        .map_err(|error| DataFusionError::External(Box::new(error)))?
        .map_err(|error| DataFusionError::External(Box::new(error)))?;
        let table = MemTable::try_new(self.schema(), vec![rows])?;
        table.scan(session, projection, filters, limit).await
    }
}

/// The batch with exactly the columns of the schema; absent ones are null.
fn full(batch: &RecordBatch, schema: &SchemaRef) -> meed_operators::Result<RecordBatch> {
    let arrays = schema
        .fields()
        .iter()
        .map(|field| match batch.column_by_name(field.name()) {
            Some(array) => array.clone(),
            None => crate::arrow::array::new_null_array(field.data_type(), batch.num_rows()),
        })
        .collect();
    Ok(RecordBatch::try_new(schema.clone(), arrays)?)
}

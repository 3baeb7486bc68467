//! SQL over all datasets of a catalog.

use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use meed_operators::Result;

use crate::arrow::array::RecordBatch;
use crate::arrow::datatypes::SchemaRef;
use crate::catalog::Catalog;
use crate::datafusion::catalog::{CatalogProvider, MemoryCatalogProvider, SchemaProvider, TableProvider};
use crate::datafusion::error::{DataFusionError, Result as PlanResult};
use crate::datafusion::execution::SendableRecordBatchStream;
use crate::datafusion::execution::context::SQLOptions;
use crate::datafusion::execution::memory_pool::FairSpillPool;
use crate::datafusion::execution::runtime_env::RuntimeEnvBuilder;
use crate::datafusion::execution::session_state::SessionStateBuilder;
use crate::datafusion::prelude::{SessionConfig, SessionContext};
use crate::functions::{self, CreditFunction};
use crate::names::DatasetName;
use crate::runtime::block_on;
use crate::sql_errors::{Tables, sql_error};

/// How SQL runs.
#[derive(Clone, Default)]
pub struct SqlOptions {
    /// Bytes that sorts, joins and aggregates may hold before they go to disk; no limit where
    /// absent.
    pub memory_limit: Option<usize>,
    /// Threads of one query; all processors where absent.
    pub threads: Option<usize>,
    /// What `credit('<recipe>', '<dataset>')` runs; without it the function does not exist.
    pub credit: Option<CreditFunction>,
}

impl Catalog {
    /// A DataFusion session in which every dataset is a table (`select * from gsm8k`; names with
    /// dots or dashes in double quotes, `"gsm8k@3"` for a version), every file a table by its path
    /// (`select * from 'rollouts.parquet'`), and the functions of [`crate::FUNCTIONS`] exist.
    ///
    /// Tables are looked up when a query names them, so the session sees later commits.
    pub fn session(&self, options: &SqlOptions) -> Result<SessionContext> {
        let failed = |error| sql_error(self, &Tables::default(), error);
        let mut config = SessionConfig::new()
            .with_create_default_catalog_and_schema(false)
            .with_default_catalog_and_schema("meed", "datasets")
            .with_information_schema(true);
        if let Some(threads) = options.threads {
            config = config.with_target_partitions(threads.max(1));
        }
        // Plain text types, as everywhere in meed; views would leak into results.
        config.options_mut().execution.parquet.schema_force_view_types = false;
        config.options_mut().sql_parser.map_string_types_to_utf8view = false;
        let mut runtime = RuntimeEnvBuilder::new();
        if let Some(limit) = options.memory_limit {
            runtime = runtime.with_memory_pool(Arc::new(FairSpillPool::new(limit)));
        }
        let runtime = runtime.build_arc().map_err(failed)?;
        let session = SessionContext::new_with_config_rt(config.clone(), runtime);
        let datasets = Arc::new(Datasets {
            catalog: self.clone(),
            session: Arc::new(SessionStateBuilder::new().with_config(config).with_default_features().build()),
        });
        let meed = MemoryCatalogProvider::new();
        meed.register_schema("datasets", datasets.clone()).map_err(failed)?;
        session.register_catalog("meed", Arc::new(meed));
        functions::register(&session, datasets, options.credit.clone());
        Ok(session.enable_url_table())
    }

    /// Runs a query and returns all rows.
    ///
    /// # Errors
    /// A query that is not well formed or names what does not exist is a usage error whose hint
    /// lists near names; a query that fails while it runs is an external error.
    pub fn sql(&self, query: &str, options: &SqlOptions) -> Result<Vec<RecordBatch>> {
        self.stream(query, options)?.collect()
    }

    /// Runs a query and returns its rows as they come.
    ///
    /// # Errors
    /// As [`Catalog::sql`].
    pub fn stream(&self, query: &str, options: &SqlOptions) -> Result<RowStream> {
        let session = self.session(options)?;
        let tables = Tables::of(&session, query);
        // Writing with SQL would bypass lineage and exactly-once commits.
        let allowed = SQLOptions::new().with_allow_dml(false);
        let rows = block_on(async {
            let failed = |error| sql_error(self, &tables, error);
            let frame = session.sql_with_options(query, allowed).await.map_err(failed)?;
            frame.execute_stream().await.map_err(failed)
        })?;
        Ok(RowStream { rows, catalog: self.clone(), tables, _session: session })
    }
}

/// The rows of a query, batch after batch. Dropping it ends the query.
pub struct RowStream {
    rows: SendableRecordBatchStream,
    catalog: Catalog,
    tables: Tables,
    _session: SessionContext,
}

impl RowStream {
    /// Columns of the result.
    pub fn schema(&self) -> SchemaRef {
        self.rows.schema()
    }
}

impl Iterator for RowStream {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = block_on(async { Ok(self.rows.next().await) });
        match next {
            Ok(rows) => Some(rows?.map_err(|error| sql_error(&self.catalog, &self.tables, error))),
            Err(error) => Some(Err(error)),
        }
    }
}

/// Datasets as tables, looked up by name when a query needs them.
#[derive(Debug)]
pub(crate) struct Datasets {
    pub(crate) catalog: Catalog,
    /// Carries the settings that Delta reads with.
    session: Arc<crate::datafusion::execution::SessionState>,
}

impl Datasets {
    /// A dataset at a version, or nothing where it does not exist.
    pub(crate) async fn provider(&self, name: &DatasetName) -> PlanResult<Option<Arc<dyn TableProvider>>> {
        let external = |error: meed_operators::Error| DataFusionError::External(Box::new(error));
        let table = self.catalog.store.table(&name.name, name.version);
        let Some(table) = table.await.map_err(external)? else {
            return Ok(None);
        };
        let provider = table.table_provider().with_session(self.session.clone()).await?;
        Ok(Some(provider))
    }
}

#[async_trait]
impl SchemaProvider for Datasets {
    fn table_names(&self) -> Vec<String> {
        self.catalog.names().unwrap_or_default()
    }

    async fn table(&self, name: &str) -> PlanResult<Option<Arc<dyn TableProvider>>> {
        // Paths of files come here first; they are no names of datasets.
        match DatasetName::parse(name) {
            Ok(name) => self.provider(&name).await,
            Err(_) => Ok(None),
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        matches!(self.catalog.find(name), Ok(Some(_)))
    }
}

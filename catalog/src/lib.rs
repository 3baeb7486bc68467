//! Datasets on Delta, their lineage, and SQL with credit functions.
//!
//! A [`Catalog`] is a URI with one Delta table per dataset. A [`DeltaSink`] writes a dataset from
//! many workers, exactly once; a [`DeltaSource`] reads one at a version; [`Catalog::session`]
//! queries all of them with SQL.
//!
//! Every function here blocks: they drive asynchronous stores on a runtime of their own (see
//! [`runtime`]).

/// Arrow, Parquet and DataFusion in exactly the versions that Delta is built with.
pub use deltalake_core::{arrow, datafusion, parquet};

mod catalog;
mod cluster;
mod commit;
mod committer;
mod conform;
mod dataset;
mod delta_sink;
mod delta_source;
mod epoch_writer;
mod errors;
pub mod format;
pub mod functions;
mod history;
mod lineage;
mod names;
pub mod runtime;
mod sql;
mod sql_errors;
mod statistics;
mod store;

pub use catalog::{Catalog, DatasetInfo};
pub use cluster::{SortInput, Sorted, sort_by_group};
pub use dataset::{Dataset, DatasetFile};
pub use delta_sink::DeltaSink;
pub use delta_source::open_source;
pub use format::Format;
pub use functions::{CreditFunction, FUNCTIONS, SqlFunction};
pub use history::Commit;
pub use lineage::{Input, Lineage};
pub use names::{DatasetName, table_name};
pub use sql::{RowStream, SqlOptions};

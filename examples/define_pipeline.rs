//! A pipeline in ten lines: rollouts from a file, two recipes, advantages to another file.

use std::sync::Arc;

use meed_connectors::parquet_source::SLICE_BYTES;
use meed_connectors::{Codec, FileSink, Format, Location, ParquetSource};
use meed_operators::columns::{OnError, Table};
use meed_operators::engine::RunOptions;
use meed_pipelines::find;
use meed_pipelines::stored::{AssignJob, Rejected, assign};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::temp_dir().join("meed-define-pipeline");
    std::fs::create_dir_all(&folder)?;
    let target = folder.join("advantages.parquet").display().to_string();
    let job = AssignJob {
        recipes: vec![find("grpo")?.into(), find("gigpo")?.into(), find("tempo")?.into()],
        source: Arc::new(ParquetSource::open(&Location::parse("examples/rollouts/arithmetic.parquet")?, SLICE_BYTES)?),
        sink: Arc::new(FileSink::new(Location::parse(&target)?, Format::Parquet, Table::Advantages.schema(), Codec::default())),
        on_error: OnError::Fail,
        rejected: Rejected::default(),
    };
    let report = assign(job, &RunOptions::workers(2))?;
    println!("{report:#?}");
    Ok(())
}

//! Writes a Parquet file of generated rollouts, the same bytes on every machine: what
//! `assign_grpo.sh` measures on.
//!
//! `cargo run --release --example generate_benchmark -- <rollouts> <file>`
#![allow(clippy::print_stderr)]

mod rollouts;

use std::error::Error;
use std::fs::File;

use parquet::arrow::ArrowWriter;
use rollouts::{ROW_GROUP_ROWS, Random, batch, properties};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(rollouts), Some(path)) = (arguments.next(), arguments.next()) else {
        return Err("usage: generate_benchmark <rollouts> <file>".into());
    };
    let rollouts: u64 = rollouts.parse()?;
    let properties = properties()?;
    let mut writer: Option<ArrowWriter<File>> = None;
    let (mut random, mut tokens) = (Random::seeded(), 0);
    for first in (0..rollouts).step_by(ROW_GROUP_ROWS as usize) {
        let rows = first..rollouts.min(first + ROW_GROUP_ROWS);
        let batch = batch(rows, &mut random, &mut tokens)?;
        let writer = match &mut writer {
            Some(writer) => writer,
            None => {
                let file = File::create(&path)?;
                let properties = Some(properties.clone());
                writer.insert(ArrowWriter::try_new(file, batch.schema(), properties)?)
            }
        };
        writer.write(&batch)?;
        writer.flush()?;
    }
    if let Some(writer) = writer {
        writer.close()?;
    }
    eprintln!("{path}: {rollouts} rollouts, {tokens} tokens");
    Ok(())
}

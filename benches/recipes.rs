//! Tokens per second of every recipe on the rollouts of `assign_grpo.sh`, beside `grpo` in the same run.
//!
//! `cargo run --release -p meed-connectors --example bench_recipes -- <rollouts> <folder> [recipe...]`
#![allow(clippy::print_stderr, clippy::print_stdout)]

#[path = "../pipelines/tests/conformance/data/mod.rs"]
mod data;
mod rollouts;

use std::error::Error;
use std::fs::File;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::concat_batches;
use data::{Shape, Step};
use meed_connectors::{Location, ParquetSource};
use meed_operators::columns::OnError;
use meed_operators::engine::{Committer, EpochWriter, Receipt, RunOptions, Sink, Source};
use meed_pipelines::description::{Need, ReadColumn};
use meed_pipelines::ready::{Known, Seen};
use meed_pipelines::stored::{AssignJob, RecipeSettings, Rejected, assign, readable};
use meed_pipelines::{Kind, Recipe, find, recipes};
use parquet::arrow::ArrowWriter;
use rollouts::{ROW_GROUP_ROWS, Random};

/// Timed runs of each recipe, by turns with as many of `grpo`, after one that is not timed.
const ROUNDS: usize = 5;
/// As `meed assign`.
const SLICE_BYTES: u64 = 32 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(rows), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err("usage: bench_recipes <rollouts> <folder> [recipe...]".into());
    };
    let (rows, folder): (u64, PathBuf) = (rows.parse()?, folder.into());
    let wanted: Vec<String> = arguments.collect();
    let chosen: Vec<&'static Recipe> = match wanted.is_empty() {
        true => recipes().collect(),
        false => wanted.iter().map(|name| find(name)).collect::<Result<_, _>>()?,
    };
    let yardstick = Measured::prepare(find("grpo")?, rows, &folder)?;
    println!(
        "{rows} rollouts, {:.2} million tokens, one thread, medians of {ROUNDS} runs; `!` is less than a tenth of grpo",
        yardstick.tokens as f64 / 1e6
    );
    println!("{:<32}{:>14}{:>9}{:>9}{:>9}", "recipe", "million t/s", "/ grpo", "columns", "passes");
    let mut lines = Vec::new();
    for recipe in chosen {
        match beside(&yardstick, recipe, rows, &folder) {
            Ok((rate, ratio, measured)) => {
                let mark = if ratio < 0.1 { " !" } else { "" };
                let (columns, passes) = (measured.columns, measured.passes);
                println!("{:<32}{:>14.2}{ratio:>9.2}{columns:>9}{passes:>9}{mark}", recipe.name, rate / 1e6);
                lines.push((recipe.name, ratio));
            }
            Err(error) => println!("{:<32} {error}", recipe.name),
        }
    }
    lines.sort_by(|a, b| a.1.total_cmp(&b.1));
    let slow: Vec<&str> = lines.iter().filter(|(_, ratio)| *ratio < 0.1).map(|(name, _)| *name).collect();
    println!(
        "slower than a tenth of grpo: {}",
        if slow.is_empty() { "none".to_owned() } else { slow.join(", ") }
    );
    std::fs::remove_file(&yardstick.path)?;
    Ok(())
}

/// Tokens per second of a recipe, and that beside what `grpo` does by turns with it.
fn beside(
    yardstick: &Measured,
    recipe: &'static Recipe,
    rows: u64,
    folder: &Path,
) -> Result<(f64, f64, Measured), Box<dyn Error>> {
    let measured = Measured::prepare(recipe, rows, folder)?;
    let outcome = (|| {
        measured.run()?;
        let (mut own, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            theirs.push(yardstick.run()?);
            own.push(measured.run()?);
        }
        Ok::<_, Box<dyn Error>>((median(own), median(theirs)))
    })();
    if measured.path != yardstick.path {
        std::fs::remove_file(&measured.path)?;
    }
    let (own, theirs) = outcome?;
    Ok((measured.tokens as f64 / own, theirs / own, measured))
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

/// A recipe with a file of the columns that it reads.
struct Measured {
    recipe: &'static Recipe,
    path: PathBuf,
    tokens: u64,
    columns: usize,
    passes: usize,
}

impl Measured {
    fn prepare(recipe: &'static Recipe, rows: u64, folder: &Path) -> Result<Self, Box<dyn Error>> {
        let description = recipe.describe(&[], None)?;
        let columns = columns_of(&description.inputs, &description.operators);
        let path = folder.join(format!("recipe_{}.parquet", recipe.name));
        let tokens = write(&path, rows, &columns)?;
        Ok(Measured { recipe, path, tokens, columns: columns.len(), passes: description.reach.passes })
    }

    /// Seconds of one assignment: reading, validating, and every pass; its rows are thrown away.
    fn run(&self) -> Result<f64, Box<dyn Error>> {
        let location = Location::parse(&self.path.display().to_string())?;
        let source: Arc<dyn Source> = Arc::new(ParquetSource::open(&location, SLICE_BYTES)?);
        let began = Instant::now();
        if self.recipe.kind == Kind::Advantage {
            let job = AssignJob {
                recipes: vec![RecipeSettings::from(self.recipe)],
                source,
                sink: Arc::new(Nowhere),
                beside: Vec::new(),
                scores: None,
                on_error: OnError::Fail,
                rejected: Rejected::default(),
            };
            assign(job, &RunOptions::workers(1))?;
        } else {
            shape(self.recipe, source)?;
        }
        Ok(began.elapsed().as_secs_f64())
    }
}

/// What a recipe of rewards costs: slice by slice, as in a run, but without its output.
fn shape(recipe: &Recipe, source: Arc<dyn Source>) -> Result<(), Box<dyn Error>> {
    let source = readable(source, OnError::Fail, Rejected::default(), &None)?;
    let schema = source.schema();
    let ready = recipe.ready(&[], &schema)?;
    let mut columns = ready.assignment.checked.columns.clone();
    columns.retain(|name| schema.column_with_name(name).is_some());
    let read = |slice: u64| -> Result<RecordBatch, Box<dyn Error>> {
        let batches: Vec<RecordBatch> = source.read(slice, &columns)?.collect::<Result<_, _>>()?;
        Ok(concat_batches(&batches[0].schema(), &batches)?)
    };
    let mut known = Known::default();
    for pass in 0..ready.passes() {
        let mut seen = Seen::default();
        for slice in 0..source.slices() {
            ready.observe(pass, &read(slice)?, &known, &mut seen)?;
        }
        ready.conclude(pass, seen, &mut known)?;
    }
    for slice in 0..source.slices() {
        for piece in ready.unit(&read(slice)?, &known)?.pieces(32 << 10)? {
            ready.assign(&piece, &known)?;
        }
    }
    Ok(())
}

/// The columns that a recipe reads where the data has all; what an operator would add is given where the
/// recipe says so.
fn columns_of(inputs: &[ReadColumn], operators: &[meed_pipelines::description::Adds]) -> Vec<ReadColumn> {
    let declared = |name: &String| inputs.iter().any(|column| column.name == *name);
    let given: Vec<_> = operators.iter().filter(|operator| operator.adds.iter().all(declared)).collect();
    let adds = |column: &ReadColumn| given.iter().any(|operator| operator.adds.contains(&column.name));
    let replaced = |column: &ReadColumn| given.iter().any(|operator| operator.reads.contains(&column.name));
    let read =
        |column: &ReadColumn| matches!(column.need, Need::Required | Need::Optional) && !replaced(column);
    inputs.iter().filter(|column| read(column) || adds(column)).cloned().collect()
}

/// Writes the benchmark's rollouts with these columns; the tokens that they have.
fn write(path: &Path, rows: u64, columns: &[ReadColumn]) -> Result<u64, Box<dyn Error>> {
    let (mut random, mut tokens, mut writer) = (Random::seeded(), 0, None);
    for first in (0..rows).step_by(ROW_GROUP_ROWS as usize) {
        let batch = rollouts::batch(first..rows.min(first + ROW_GROUP_ROWS), &mut random, &mut tokens)?;
        let batch = with_columns(batch, columns)?;
        let writer = match &mut writer {
            Some(writer) => writer,
            none => {
                let file = File::create(path)?;
                none.insert(ArrowWriter::try_new(file, batch.schema(), Some(rollouts::properties()?))?)
            }
        };
        writer.write(&batch)?;
        writer.flush()?;
    }
    if let Some(writer) = writer {
        writer.close()?;
    }
    Ok(tokens)
}

/// The columns asked for: as the benchmark has them, else generated on its rollouts.
fn with_columns(batch: RecordBatch, columns: &[ReadColumn]) -> Result<RecordBatch, Box<dyn Error>> {
    let shapes = shapes(&batch);
    let has = |name: &str| batch.column_by_name(name).is_some();
    let others: Vec<_> =
        columns.iter().filter(|column| !has(&column.name)).map(|column| column.known.clone()).collect();
    let generated = data::batch(&shapes, &others)?;
    let keys = ["iteration", "group_id", "rollout_id", "status", "token_mask"];
    let schema = batch.schema();
    let kept = schema.fields().iter().enumerate().filter_map(|(at, field)| {
        let wanted = |column: &ReadColumn| column.name == *field.name();
        (keys.contains(&field.name().as_str()) || columns.iter().any(wanted)).then_some(at)
    });
    let mut batch = batch.project(&kept.collect::<Vec<_>>())?;
    for known in &others {
        let at = generated.schema().index_of(&known.column)?;
        let column = (generated.schema().field(at).clone(), generated.column(at).clone());
        batch = meed_operators::columns::with_columns(batch, [column])?;
    }
    Ok(batch)
}

/// Steps are the runs of the policy's tokens and those of the tools that answer.
fn shapes(batch: &RecordBatch) -> Vec<Shape> {
    let (masks, groups, ids) = (
        batch["token_mask"].as_list::<i32>(),
        batch["group_id"].as_string::<i32>(),
        batch["rollout_id"].as_string::<i32>(),
    );
    let shape = |row: usize| {
        let mask: Vec<bool> = masks.value(row).as_boolean().values().iter().collect();
        let ends = (1..=mask.len()).filter(|&end| end == mask.len() || mask[end] != mask[end - 1]);
        let kind = |end: usize| if mask[end - 1] { "policy" } else { "observation" };
        let steps = ends.map(|end| Step { end, kind: kind(end) }).collect();
        let seed = ids
            .value(row)
            .bytes()
            .fold(17u64, |hash, byte| hash.wrapping_mul(1_099_511_628_211) ^ u64::from(byte));
        Shape {
            group: groups.value(row).to_owned(),
            rollout: ids.value(row).to_owned(),
            member: row % 8,
            members: 8,
            ..Shape::of(mask, steps, seed)
        }
    };
    (0..batch.num_rows()).map(shape).collect()
}

/// A sink that keeps nothing.
#[derive(Clone)]
struct Nowhere;

impl Sink for Nowhere {
    fn uri(&self) -> &str {
        "nowhere"
    }
    fn writer(&self, _worker: usize) -> meed_operators::Result<Box<dyn EpochWriter>> {
        Ok(Box::new(Nowhere))
    }
    fn committer(&self) -> meed_operators::Result<Box<dyn Committer>> {
        Ok(Box::new(Nowhere))
    }
}

impl EpochWriter for Nowhere {
    fn write(&mut self, _epoch: u64, batch: RecordBatch) -> meed_operators::Result<()> {
        std::hint::black_box(batch);
        Ok(())
    }
    fn close(&mut self, _epoch: u64) -> meed_operators::Result<Vec<Receipt>> {
        Ok(Vec::new())
    }
}

impl Committer for Nowhere {
    fn resume_at(&mut self) -> meed_operators::Result<u64> {
        Ok(0)
    }
    fn commit(&mut self, _: RangeInclusive<u64>, _: Vec<Receipt>) -> meed_operators::Result<()> {
        Ok(())
    }
    fn finish(&mut self) -> meed_operators::Result<()> {
        Ok(())
    }
}

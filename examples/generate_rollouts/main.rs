//! Writes the example dataset: multi-turn arithmetic with a calculator, played by a simulated policy.
//!
//! `cargo run --example generate_rollouts [path]` writes the same bytes every time: randomness is
//! counter-based, and every number is exact.

mod episode;
mod random;
mod task;

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use arrow::json::ReaderBuilder;
use meed::connectors::{Format, Location, write_batches};
use meed::operators::columns::Table;
use serde_json::{Value, json};

use episode::Episode;
use random::Random;
use task::{Circumstances, TASKS, Task, iteration};

/// A response with more tokens is cut off here.
const TOKEN_BUDGET: usize = 230;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1);
    let path = path.as_deref().unwrap_or("examples/rollouts/arithmetic.parquet");
    let rows: Vec<Value> = (0..TASKS).flat_map(group).collect();
    let schema = columns_of(&rows);
    let mut decoder = ReaderBuilder::new(schema.clone()).with_batch_size(rows.len()).build_decoder()?;
    decoder.serialize(&rows)?;
    let batch = decoder.flush()?.ok_or("there are no rows")?;
    write_batches(&Location::parse(path)?, Format::Parquet, &schema, [Ok(batch)])?;
    Ok(())
}

/// The columns of `rollouts` that the rows have, in the order of the schema.
fn columns_of(rows: &[Value]) -> SchemaRef {
    let schema = Table::Rollouts.schema();
    let present = schema.fields().iter().filter(|field| rows.iter().any(|row| !row[field.name()].is_null()));
    Arc::new(Schema::new(present.cloned().collect::<Vec<_>>()))
}

fn group(task: u64) -> Vec<Value> {
    (0..Circumstances::of(task).members).map(|member| rollout(task, member)).collect()
}

fn rollout(task: u64, member: u64) -> Value {
    let (circumstances, group) = (Circumstances::of(task), Task::new(task));
    let mut episode = Episode::new(Random::new(task, member));
    let answer = match circumstances.broken == Some(member) {
        true => episode.fail(&group),
        false => episode.play(&group, &circumstances),
    };
    let cut = episode.cut(TOKEN_BUDGET);
    let failed = circumstances.broken == Some(member);
    let status = if failed {
        "error"
    } else if cut {
        "truncated"
    } else {
        "complete"
    };
    let right = !cut && answer == Some(group.solution());
    let reward = if failed { Value::Null } else { json!(f64::from(u8::from(right))) };
    let group_id = format!("arithmetic-{task:02}");
    let question = group.question();
    let mut row = json!({
        "iteration": iteration(task),
        "group_id": group_id,
        "rollout_id": format!("{group_id}-{member}"),
        "status": status,
        "prompt": question,
        "reference": group.solution().to_string(),
        "reward": reward,
        "reward_status": if failed { json!("the calculator did not answer") } else { Value::Null },
        "prompt_ids": question.as_bytes(),
        "metadata": json!({"tool": "calculator", "operations": group.operations.len()}).to_string(),
    });
    episode.write(&mut row);
    row
}

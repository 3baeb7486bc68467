//! A recipe of your own: the group-relative advantage, weaker where the policy was unsure.
#![allow(clippy::print_stdout)]

use arrow::array::{Array, AsArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{Float32Type, Float64Type};
use meed::connectors::{Format, Location, read_batches};
use meed::prelude::*;

const CONFIDENCE: Recipe = Recipe {
    name: "confidence",
    title: "group-relative advantage, weaker where the policy was unsure",
    formula: "A = (r - mean(r, by(group))) * (1 - weight * mean entropy)",
    parameters: &[&[parameter("weight", "1.0", "what a nat of mean entropy takes off")]],
    plan,
    ..own_recipe()
};

fn plan(parameters: &Parameters) -> Result<Plan> {
    let relative = signal("reward") - mean(signal("reward"), group());
    let doubt = signal("token_entropies").reduce(ROLLOUT, Reduction::Mean);
    let credit = Credit::new()
        .define("relative", relative)
        .define("doubt", doubt)
        .advantage(signal("relative") * (1.0 - parameters.number("weight")? * signal("doubt")));
    Ok(credit.into())
}

const ROLLOUTS: &str = "examples/rollouts/arithmetic.parquet";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("{}", CONFIDENCE.set(&[])?.1.credit);

    // It runs wherever a recipe of meed runs: in a pipeline, beside the others ...
    let report = Pipeline::from(ROLLOUTS)?
        .assign(CONFIDENCE)
        .assign(recipe("dr_grpo")?)
        .set("confidence.weight", 0.5)
        .to("target/confidence.parquet")?
        .run()?;
    assert_eq!(report.assigned.run.rows_out, 2 * 230, "one row per rollout and recipe");

    // ... or on rollouts in memory, where every named signal can be looked at.
    let (schema, batches) = read_batches(&Location::parse(ROLLOUTS)?, Format::Parquet, 1024)?;
    let rollouts = concat_batches(&schema, &batches.collect::<Result<Vec<_>>>()?)?;
    let given = CONFIDENCE.in_memory(&[], rollouts)?;
    let (unit, rows) = (given.unit, given.rows.ok_or("the recipe gives advantages")?);
    let rewards = unit.column("reward").ok_or("the data has rewards")?.as_primitive::<Float64Type>();
    let advantages = rows["token_advantages"].as_list::<i32>();
    for row in (0..unit.rows()).filter(|&row| rewards.is_valid(row)) {
        let credit = advantages.value(row).as_primitive::<Float32Type>().value(0);
        assert!(credit.abs() < 1.0, "{}: {credit}", unit.rollout_id(row));
        assert!(
            if rewards.value(row) == 1.0 { credit >= 0.0 } else { credit <= 0.0 },
            "{}: {credit}",
            unit.rollout_id(row)
        );
    }
    Ok(())
}

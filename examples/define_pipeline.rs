//! A pipeline in ten lines: rollouts from a file, three recipes in one reading, advantages to a file.
#![allow(clippy::print_stdout)]

use meed::prelude::*;

fn main() -> Result<(), meed::Error> {
    let report = Pipeline::from("examples/rollouts/arithmetic.parquet")?
        .assign(recipe("grpo")?)
        .assign(recipe("gigpo")?)
        .assign(recipe("tempo")?)
        .set("grpo.preset", "trl")
        .to("target/advantages.parquet")?
        .workers(2)
        .run()?;

    println!("{report}");
    let run = &report.assigned.run;
    assert_eq!((run.rows_in, run.rows_out), (230, 3 * 230), "one row per rollout and recipe");
    for (name, summary) in &report.assigned.recipes {
        assert_eq!(summary.in_loss, 229, "{name}: the rollout without a reward is left out");
    }
    Ok(())
}

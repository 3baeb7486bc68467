//! Trains the same small network by several recipes on the calculator task, and compares pass rates by
//! tokens sampled. `cargo run --release --example compare_training [-- <task> <iterations>]`
#![allow(clippy::print_stderr, clippy::print_stdout)]

use std::sync::{Arc, Mutex};

use meed::Train;
use meed::prelude::*;

/// Recipes that need nothing but what the loop provides: groups, prefixes, states of turns, values.
const RECIPES: [&str; 5] = ["grpo", "tempo", "rloo", "gae", "gigpo"];
/// Rows of the table.
const ROWS: u64 = 6;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let task = arguments.next().unwrap_or_else(|| "calculator".to_owned());
    let iterations = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(60);
    let mut columns = Vec::new();
    for recipe in RECIPES {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let mut train = Train::new(&task)?;
        train.recipe = recipe.to_owned();
        train.iterations = iterations;
        train.catalog = format!("memory://compare-{recipe}");
        let folder = tempfile::tempdir().map_err(|error| Error::external("a temporary folder", error, ""))?;
        train.checkpoints = Some(folder.path().to_owned());
        let told = seen.clone();
        train.observe = Arc::new(move |report| {
            if let Ok(mut told) = told.lock() {
                told.push((report.sampled_tokens, report.pass_rate.unwrap_or_default()));
            }
        });
        let report = train.run()?;
        eprintln!("{recipe}: {report}\n");
        let seen = seen.lock().map(|seen| seen.clone()).unwrap_or_default();
        columns.push((recipe, seen, report.held_out));
    }
    print(&columns, iterations.div_ceil(ROWS).max(1) as usize);
    Ok(())
}

type Column = (&'static str, Vec<(u64, f64)>, Vec<meed::Try>);

/// Pass rates over stretches of iterations, with the tokens that each recipe had sampled by then.
fn print(columns: &[Column], stretch: usize) {
    let cells = |text: &dyn Fn(&Column) -> String| {
        columns.iter().map(|column| format!("{:>18}", text(column))).collect::<String>()
    };
    println!("{:>10}{}", "iteration", cells(&|(recipe, _, _)| (*recipe).to_owned()));
    let iterations = columns.iter().map(|(_, seen, _)| seen.len()).max().unwrap_or_default();
    for end in (stretch..=iterations).step_by(stretch) {
        let cell = |(_, seen, _): &Column| {
            let tokens: u64 = seen.iter().take(end).map(|(tokens, _)| tokens).sum();
            let part: Vec<f64> = seen.iter().take(end).skip(end - stretch).map(|(_, rate)| *rate).collect();
            let rate = part.iter().sum::<f64>() / part.len().max(1) as f64;
            format!("{:.1}% @ {tokens}", 100.0 * rate)
        };
        println!("{end:>10}{}", cells(&cell));
    }
    for (index, when) in ["warm-up", "training"].into_iter().enumerate() {
        let cell = |(_, _, tried): &Column| match tried.get(index) {
            Some(tried) => format!("{:.1}% held out", 100.0 * tried.found.pass_rate),
            None => String::new(),
        };
        println!("{when:>10}{}", cells(&cell));
    }
}

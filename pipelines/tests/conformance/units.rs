//! Units: results do not depend on how whole groups are cut into units, nor statistics on who gathered them.

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;

use crate::data::Draw;
use crate::rollouts::with_long;
use crate::support::{Failures, rows, subjects, words};

#[test]
fn any_cut_into_whole_groups_gives_the_same_bits() {
    let mut failures = Failures::default();
    for subject in subjects() {
        let outcome = (|| {
            // Attention has a weight per pair of tokens.
            let pairwise = subject.columns.iter().any(|column| column.name.starts_with("attention_"));
            let batch = subject.batch(&with_long(if pairwise { 500 } else { 20_000 }))?;
            let whole = subject.given(&batch).map_err(|error| words(&error))?;
            let groups = groups_of(&batch);
            for (cut, units) in [
                ("group by group", groups.clone()),
                ("all at once", vec![groups.concat()]),
                ("cut at random", cut(groups.clone(), 7)),
                ("cut at random, out of order", shuffled(cut(groups.clone(), 8))),
            ] {
                let units: Vec<RecordBatch> = units.into_iter().map(|unit| rows(&batch, unit)).collect();
                let given =
                    subject.given_in_units(&units).map_err(|error| format!("{cut}: {}", words(&error)))?;
                if let Some(difference) = whole.difference(&given) {
                    return Err(format!("{cut}: {difference}"));
                }
            }
            Ok(())
        })();
        if let Err(error) = outcome {
            failures.add(subject.name(), error);
        }
    }
    failures.report();
}

/// The rows of each group, in the order of the batch.
fn groups_of(batch: &RecordBatch) -> Vec<Vec<usize>> {
    let (iterations, ids) =
        (batch["iteration"].as_primitive::<Int64Type>(), batch["group_id"].as_string::<i32>());
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for row in 0..batch.num_rows() {
        let opens = row == 0
            || (iterations.value(row), ids.value(row)) != (iterations.value(row - 1), ids.value(row - 1));
        match groups.last_mut().filter(|_| !opens) {
            Some(group) => group.push(row),
            None => groups.push(vec![row]),
        }
    }
    groups
}

fn cut(groups: Vec<Vec<usize>>, seed: u64) -> Vec<Vec<usize>> {
    let mut draw = Draw::new(seed);
    let mut units: Vec<Vec<usize>> = Vec::new();
    for group in groups {
        match units.last_mut().filter(|_| !draw.once_in(3)) {
            Some(unit) => unit.extend(group),
            None => units.push(group),
        }
    }
    units
}

fn shuffled(mut units: Vec<Vec<usize>>) -> Vec<Vec<usize>> {
    Draw::new(3).shuffle(&mut units);
    units
}

//! Checking and evaluating a program the way a pipeline does: batch passes first, then the units.

use arrow::array::RecordBatch;
use meed_operators::Result;
use meed_operators::credit::{
    BatchStatistics, Checked, Column, Credit, Evaluated, Expr, Partial, ROLLOUT, SignalSchema, Unit, Values,
    evaluate,
};

use crate::arrays::batch;
use crate::data::Data;
use crate::generator::Random;
use crate::shape::{Cells, Truth};

/// The name under which single expressions are evaluated.
pub const RESULT: &str = "result";

pub fn checked(credit: &Credit, batch: &RecordBatch) -> Result<Checked> {
    Checked::new("test", credit, &SignalSchema::new(&batch.schema()))
}

/// Batch statistics gathered from one slice.
pub fn statistics(checked: &Checked, units: &[&Unit]) -> Result<BatchStatistics> {
    let mut statistics = BatchStatistics::default();
    for _ in 0..checked.passes() {
        let mut partial = Partial::default();
        for unit in units {
            partial.observe(checked, unit, &statistics)?;
        }
        statistics.add(checked, partial);
    }
    Ok(statistics)
}

/// A program on rows that arrive in a random order.
pub fn run(data: &Data, credit: &Credit, seed: u64) -> Result<(Unit, Evaluated)> {
    let order = Random::new(seed ^ 0xabcd).shuffled(data.rows.len());
    let batch = batch(data, &order);
    let checked = checked(credit, &batch)?;
    let unit = Unit::new(batch)?;
    let statistics = statistics(&checked, &[&unit])?;
    let evaluated = evaluate(&checked, &unit, &statistics)?;
    Ok((unit, evaluated))
}

/// Values of a column per rollout. Booleans count 1 and 0.
pub fn cells(unit: &Unit, column: &Column) -> Cells {
    let level = column.level.clone().unwrap_or(ROLLOUT);
    let rows = unit.extent(&level).unwrap().rows.clone();
    let value = |i: usize| {
        let i = if column.level.is_none() { 0 } else { i };
        column.is_valid(i).then(|| match &column.values {
            Values::Number(values) => values[i],
            Values::Boolean(values) => f64::from(u8::from(values[i])),
            Values::Text(_) => panic!("is text"),
        })
    };
    if column.level.is_some() {
        assert_eq!(column.len(), rows[rows.len() - 1], "a value per element");
    }
    rows.windows(2).map(|row| (row[0]..row[1]).map(value).collect()).collect()
}

/// The values of one expression per rollout.
pub fn value_of(data: &Data, expr: &Expr, seed: u64) -> Result<Cells> {
    let (unit, evaluated) = run(data, &Credit::new().define(RESULT, expr.clone()), seed)?;
    Ok(cells(&unit, evaluated.signal(RESULT).unwrap()))
}

/// Asserts that an expression has the values of the naive reference.
pub fn assert_cells(data: &Data, expr: &Expr, wanted: &Cells, seed: u64) {
    assert_close(data, expr, wanted, seed, 1e-12);
}

/// The same, bit for bit up to the sign of zero.
pub fn assert_exact(data: &Data, expr: &Expr, wanted: &Cells, seed: u64) {
    assert_close(data, expr, wanted, seed, 0.0);
}

/// The same for formulas that divide by small numbers.
pub fn assert_near(data: &Data, expr: &Expr, wanted: &Cells, seed: u64) {
    assert_close(data, expr, wanted, seed, 1e-10);
}

fn assert_close(data: &Data, expr: &Expr, wanted: &Cells, seed: u64, tolerance: f64) {
    let got = value_of(data, expr, seed).unwrap_or_else(|error| panic!("{expr}: {error}"));
    assert_eq!(got.len(), wanted.len(), "{expr}");
    for (row, (got, wanted)) in got.iter().zip(wanted).enumerate() {
        let same = |(a, b): (&Option<f64>, &Option<f64>)| match (a, b) {
            (Some(a), Some(b)) => a == b || (a - b).abs() <= tolerance * b.abs().max(1.0),
            (a, b) => a == b,
        };
        let rollout = &data.rows[row];
        assert!(
            got.len() == wanted.len() && got.iter().zip(wanted).all(same),
            "{expr}\n iteration {} group {} rollout {}\n  got {got:?}\n want {wanted:?}",
            rollout.iteration,
            rollout.group,
            rollout.id
        );
    }
}

/// Truth as numbers, to compare.
pub fn numbers(truth: &Truth) -> Cells {
    truth.iter().map(|row| row.iter().map(|&x| Some(f64::from(u8::from(x)))).collect()).collect()
}

//! How crowded the tests of a group are at their pass rate.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Builder, ListBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type};

use super::AddSignals;
use crate::columns::list_of;
use crate::credit::{Unit, provider};
use crate::{Error, Place, Result};

/// Adds `turn_test_densities`: for each test of each turn, the sum of a Gaussian kernel over the distances of its
/// pass rate to those of all tests of the group, itself included.
///
/// `turn_test_passed` has one list of results per turn; the n-th test of every turn is the same test, and its pass
/// rate is the mean of its results over all turns of the group, but those of rollouts without a trainable token. A test
/// without any result has no density.
///
/// ```
/// use meed_operators::signals::TestDensities;
/// let density = TestDensities { bandwidth: 0.1 }.densities(&[Some(0.9), Some(0.85), None, Some(0.2)]);
/// assert!((density[0].unwrap() - 1.8824969).abs() < 1e-7);
/// assert_eq!(density[2], None);
/// ```
#[derive(Debug, Clone)]
pub struct TestDensities {
    /// Standard deviation of the kernel.
    pub bandwidth: f64,
}

const PASSED: &str = "turn_test_passed";

impl AddSignals for TestDensities {
    fn name(&self) -> &str {
        "test_densities"
    }

    fn reads(&self) -> Vec<String> {
        vec![PASSED.to_owned()]
    }

    fn adds(&self) -> Vec<Field> {
        vec![Field::new("turn_test_densities", list_of(list_of(DataType::Float64)), true)]
    }

    fn apply(&self, unit: &Unit) -> Result<Vec<ArrayRef>> {
        let turns = unit.list(PASSED).ok_or_else(|| Error::MissingSignal {
            recipe: "test_densities".into(),
            signal: PASSED.into(),
            hint: provider(PASSED).into(),
        })?;
        let tests = turns.values().as_list_opt::<i32>().ok_or_else(|| {
            Error::data(
                Place::default().column(PASSED),
                "is not a list of lists",
                "one list of tests per turn",
            )
        })?;
        let results = cast(tests.values(), &DataType::Float64)?;
        let results = results.as_primitive::<Float64Type>();
        let untrained = unit.without_trainable_token()?;
        let range = |offsets: &[i32], i: usize| offsets[i] as usize..offsets[i + 1] as usize;
        let turns_of = |row: usize| {
            let turns_of_row = if turns.is_valid(row) { range(turns.value_offsets(), row) } else { 0..0 };
            turns_of_row.filter(|&turn| tests.is_valid(turn))
        };
        let element = |inner| Arc::new(Field::new("element", inner, true));
        let inner = ListBuilder::new(Float64Builder::new()).with_field(element(DataType::Float64));
        let mut added = ListBuilder::new(inner).with_field(element(list_of(DataType::Float64)));
        for group in unit.groups().windows(2) {
            let mut sums: Vec<(f64, f64)> = Vec::new();
            let counted = (group[0]..group[1]).filter(|row| untrained.binary_search(row).is_err());
            for turn in counted.flat_map(turns_of) {
                let of_turn = range(tests.value_offsets(), turn);
                sums.resize(sums.len().max(of_turn.len()), (0.0, 0.0));
                for (sum, at) in sums.iter_mut().zip(of_turn).filter(|(_, at)| results.is_valid(*at)) {
                    *sum = (sum.0 + results.value(at), sum.1 + 1.0);
                }
            }
            let rates: Vec<Option<f64>> =
                sums.iter().map(|&(sum, count)| (count > 0.0).then(|| sum / count)).collect();
            let densities = self.densities(&rates);
            for row in group[0]..group[1] {
                for turn in if turns.is_valid(row) { range(turns.value_offsets(), row) } else { 0..0 } {
                    if tests.is_valid(turn) {
                        let of_turn = densities.iter().take(tests.value_length(turn) as usize);
                        of_turn.for_each(|&density| added.values().values().append_option(density));
                    }
                    added.values().append(tests.is_valid(turn));
                }
                added.append(turns.is_valid(row));
            }
        }
        Ok(vec![Arc::new(added.finish())])
    }
}

impl TestDensities {
    /// The density at each rate, among all that are known.
    pub fn densities(&self, rates: &[Option<f64>]) -> Vec<Option<f64>> {
        let kernel = |distance: f64| (-0.5 * (distance / self.bandwidth).powi(2)).exp();
        let at = |rate: f64| rates.iter().flatten().map(|other| kernel(rate - other)).sum();
        rates.iter().map(|rate| rate.map(at)).collect()
    }
}

//! A comparison as tables: for people one of recipes and one of pairs, for programs one of single numbers.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, UInt64Array};
use meed_operators::Result;
use meed_pipelines::comparison::{Agreement, LEVELS, Measures};

use super::ComparisonReport;

type Column = (&'static str, ArrayRef);

/// A number as a table for people shows it.
fn rounded(x: Option<f64>) -> Option<f64> {
    let x = x?;
    let digits = 10f64.powi(if x.abs() < 0.1 { 6 } else { 4 });
    Some((x * digits).round() / digits)
}

impl ComparisonReport {
    /// One row per recipe, with numbers rounded for people.
    ///
    /// # Errors
    /// None that data can cause.
    pub fn recipe_table(&self) -> Result<RecordBatch> {
        let recipes = &self.comparison.recipes;
        let numbers = |of: &dyn Fn(&Measures) -> Option<f64>| {
            Arc::new(recipes.iter().map(|one| rounded(of(one))).collect::<Float64Array>()) as ArrayRef
        };
        let columns: Vec<Column> = vec![
            ("recipe", self.names((0..recipes.len()).collect())),
            (
                "in_loss",
                Arc::new(UInt64Array::from_iter_values(recipes.iter().map(|one| one.summary.in_loss))),
            ),
            ("zero_signal", numbers(&|one| one.zero_signal)),
            ("mean_abs_token", numbers(&|one| one.mean_absolute[0])),
            ("mean_abs_step", numbers(&|one| one.mean_absolute[1])),
            ("mean_abs_rollout", numbers(&|one| one.mean_absolute[2])),
            ("concentration", numbers(&|one| one.concentration)),
            ("uneven", numbers(&|one| one.uneven)),
        ];
        batch(columns)
    }

    /// One row per pair, with numbers rounded for people.
    ///
    /// # Errors
    /// None that data can cause.
    pub fn pair_table(&self) -> Result<RecordBatch> {
        let pairs = &self.comparison.pairs;
        let numbers = |level: usize, of: fn(&Agreement) -> Option<f64>| {
            let all = pairs.iter().map(|pair| rounded(of(&pair.levels[level])));
            Arc::new(all.collect::<Float64Array>()) as ArrayRef
        };
        let sign = |level: &Agreement| level.same_sign;
        let spearman = |level: &Agreement| level.spearman;
        let columns: Vec<Column> = vec![
            ("recipe", self.names(pairs.iter().map(|pair| pair.recipes.0).collect())),
            ("other", self.names(pairs.iter().map(|pair| pair.recipes.1).collect())),
            ("token_sign", numbers(0, sign)),
            ("token_spearman", numbers(0, spearman)),
            ("step_sign", numbers(1, sign)),
            ("step_spearman", numbers(1, spearman)),
            ("rollout_sign", numbers(2, sign)),
            ("rollout_spearman", numbers(2, spearman)),
        ];
        batch(columns)
    }

    fn names(&self, recipes: Vec<usize>) -> ArrayRef {
        let names = recipes.into_iter().map(|index| self.recipes[index].recipe.name);
        Arc::new(StringArray::from_iter_values(names))
    }

    /// Every number in a row of its own: recipe, the other one of a pair, level, measure, value.
    ///
    /// # Errors
    /// None that data can cause.
    pub fn numbers(&self) -> Result<RecordBatch> {
        let mut rows: Vec<Number> = Vec::new();
        for (index, one) in self.comparison.recipes.iter().enumerate() {
            let mut add = |level, measure, value| {
                rows.push(Number { recipe: index, other: None, level, measure, value });
            };
            add(None, "in_loss", Some(one.summary.in_loss as f64));
            add(None, "zero_signal", one.zero_signal);
            for (level, &mean) in one.mean_absolute.iter().enumerate() {
                add(Some(level), "mean_absolute", mean);
            }
            add(Some(0), "concentration", one.concentration);
            add(Some(0), "scale", one.scale);
            add(None, "uneven", one.uneven);
        }
        for pair in &self.comparison.pairs {
            for (index, level) in pair.levels.iter().enumerate() {
                let measures = [
                    ("elements", Some(level.elements as f64)),
                    ("same_sign", level.same_sign),
                    ("opposite_sign", level.opposite_sign),
                    ("spearman", level.spearman),
                ];
                let (recipe, other, level) = (pair.recipes.0, Some(pair.recipes.1), Some(index));
                rows.extend(measures.map(|(measure, value)| Number { recipe, other, level, measure, value }));
            }
        }
        let name = |index: usize| self.recipes[index].recipe.name;
        let texts = |of: &dyn Fn(&Number) -> Option<&'static str>| {
            Arc::new(rows.iter().map(of).collect::<StringArray>()) as ArrayRef
        };
        batch(vec![
            ("recipe", texts(&|row| Some(name(row.recipe)))),
            ("other", texts(&|row| row.other.map(name))),
            ("level", texts(&|row| row.level.map(|level| LEVELS[level]))),
            ("measure", texts(&|row| Some(row.measure))),
            ("value", Arc::new(rows.iter().map(|row| row.value).collect::<Float64Array>())),
        ])
    }
}

/// One number of a comparison.
struct Number {
    recipe: usize,
    other: Option<usize>,
    level: Option<usize>,
    measure: &'static str,
    value: Option<f64>,
}

fn batch(columns: Vec<Column>) -> Result<RecordBatch> {
    let columns = columns.into_iter().map(|(name, column)| (name, column, true));
    Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
}

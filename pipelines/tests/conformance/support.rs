//! Recipes on generated rollouts, and what they gave as bits that can be compared.

use std::collections::BTreeMap;

use arrow::array::{
    Array, ArrayRef, AsArray, Float32Array, Float64Array, ListArray, RecordBatch, UInt32Array,
};
use arrow::compute::{take, take_record_batch};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int64Type};
use meed_operators::columns::{OnError, accept, complete, with_columns};
use meed_operators::credit::{Evaluated, Unit, Values};
use meed_operators::{Error, Result};
use meed_pipelines::description::{Need, ReadColumn};
use meed_pipelines::ready::{Known, Seen};
use meed_pipelines::{Kind, Recipe, recipes};

use crate::data::{self, Shape};

/// A recipe with the columns that it reads.
pub struct Subject {
    pub recipe: &'static Recipe,
    /// The columns that it reads where the data has all.
    pub columns: Vec<ReadColumn>,
    /// Those that it may read in their place, too.
    pub all: Vec<ReadColumn>,
    result: Option<String>,
}

impl Subject {
    pub fn new(recipe: &'static Recipe) -> Result<Self> {
        let description = recipe.describe(&[], None)?;
        let read = |column: &ReadColumn| matches!(column.need, Need::Required | Need::Optional);
        let columns = description.inputs.iter().filter(|column| read(column)).cloned().collect();
        let result = description.credit.last().and_then(|line| line.split_once(" = "));
        let result = result.map(|(name, _)| name.to_owned());
        Ok(Subject { recipe, columns, all: description.inputs, result })
    }

    pub fn name(&self) -> &'static str {
        self.recipe.name
    }

    pub fn gives_signals(&self) -> bool {
        self.recipe.kind != Kind::Advantage
    }

    /// The signal that says what a recipe without an advantage gives: its last.
    pub fn result(&self) -> Option<&str> {
        self.result.as_deref().filter(|_| self.gives_signals())
    }

    /// Rollouts with every column that the recipe reads.
    pub fn batch(&self, shapes: &[Shape]) -> Result<RecordBatch, String> {
        let known: Vec<_> = self.columns.iter().map(|column| column.known.clone()).collect();
        data::batch(shapes, &known)
    }

    /// What the recipe gives for rollouts in memory.
    pub fn given(&self, batch: &RecordBatch) -> Result<Given> {
        let given = self.recipe.in_memory(&[], batch.clone())?;
        Given::new(&given.unit, &given.evaluated, given.rows.as_ref())
    }

    /// What it gives unit by unit, with batch statistics gathered over the units one by one and merged in
    /// reverse, as workers of several processes would.
    pub fn given_in_units(&self, units: &[RecordBatch]) -> Result<Given> {
        let accepted = |batch: &RecordBatch| {
            accept(complete(batch.clone(), "memory")?, "memory", 0, OnError::Fail).map(|(batch, _)| batch)
        };
        let units: Vec<RecordBatch> = units.iter().map(accepted).collect::<Result<_>>()?;
        let ready = self.recipe.ready(&[], &units[0].schema())?;
        let mut known = Known::default();
        for pass in 0..ready.passes() {
            let mut merged = Seen::default();
            for unit in units.iter().rev() {
                let mut seen = Seen::default();
                ready.observe(pass, unit, &known, &mut seen)?;
                let bytes = postcard::to_stdvec(&seen).expect("what was seen travels as bytes");
                merged.merge(postcard::from_bytes(&bytes).expect("bytes of what was seen"));
            }
            ready.conclude(pass, merged, &mut known)?;
        }
        let mut all = Given::default();
        for unit in &units {
            let unit = ready.unit(unit, &known)?;
            let (evaluated, rows) = ready.assign(&unit, &known)?;
            all.0.extend(Given::new(&unit, &evaluated, rows.as_ref())?.0);
        }
        Ok(all)
    }
}

/// Every recipe with its columns. Those that cannot be described fail once, in the test of that.
pub fn subjects() -> Vec<Subject> {
    recipes().filter_map(|recipe| Subject::new(recipe).ok()).collect()
}

/// Iteration and rollout id.
pub type Key = (i64, String);

/// What a recipe gave each rollout.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Given(pub BTreeMap<Key, Row>);

/// What a recipe gave one rollout.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub in_baseline: bool,
    pub in_loss: bool,
    pub reason: Option<String>,
    pub mask: Vec<bool>,
    /// Lists of the advantages table, by column.
    pub lists: BTreeMap<String, Vec<Option<f64>>>,
    /// Named signals at their own level, as bits.
    pub signals: BTreeMap<String, Vec<Option<u64>>>,
}

const LISTS: [&str; 6] = [
    "token_advantages",
    "step_advantages",
    "token_returns",
    "token_weights",
    "token_clip_low",
    "token_clip_high",
];

impl Given {
    fn new(unit: &Unit, evaluated: &Evaluated, rows: Option<&RecordBatch>) -> Result<Self> {
        let mask = unit.list("token_mask").expect("a mask");
        let mut given = Given::default();
        for row in 0..unit.rows() {
            let mut signals = BTreeMap::new();
            for (name, column) in &evaluated.signals {
                let range = match &column.level {
                    None => 0..1,
                    Some(level) => {
                        let extent = unit.extent(level)?;
                        extent.rows[row]..extent.rows[row + 1]
                    }
                };
                let bits = |i: usize| match &column.values {
                    Values::Number(values) => values[i].to_bits(),
                    Values::Boolean(values) => u64::from(values[i]),
                    Values::Text(values) => values.value(i).bytes().fold(7, |hash: u64, byte| {
                        hash.wrapping_mul(0x0000_0100_0000_01b3) ^ u64::from(byte)
                    }),
                };
                signals.insert(name.clone(), range.map(|i| column.is_valid(i).then(|| bits(i))).collect());
            }
            let flag = |name: &str, otherwise: bool| {
                rows.map_or(otherwise, |rows| rows[name].as_boolean().value(row))
            };
            let reasons = rows.map(|rows| rows["reason"].as_string::<i32>());
            let reason = match reasons {
                Some(reasons) => reasons.is_valid(row).then(|| reasons.value(row).to_owned()),
                None => evaluated.reasons[row].clone(),
            };
            let lists =
                rows.iter().flat_map(|rows| LISTS.map(|name| (name.to_owned(), list(&rows[name], row))));
            let shown = Row {
                in_baseline: flag("in_baseline", evaluated.in_baseline[row]),
                in_loss: flag("in_loss", evaluated.in_baseline[row]),
                reason,
                mask: mask.value(row).as_boolean().values().iter().collect(),
                lists: lists.collect(),
                signals,
            };
            given.0.insert((unit.iteration(row), unit.rollout_id(row).to_owned()), shown);
        }
        Ok(given)
    }

    /// The first difference to what else was given, in words.
    pub fn difference(&self, other: &Given) -> Option<String> {
        if !self.0.keys().eq(other.0.keys()) {
            return Some("other rollouts".to_owned());
        }
        self.0.iter().find_map(|(key, row)| {
            let words = row.difference(&other.0[key])?;
            Some(format!("{} of iteration {}: {words}", key.1, key.0))
        })
    }
}

impl Row {
    fn difference(&self, other: &Row) -> Option<String> {
        if (self.in_baseline, self.in_loss, &self.reason) != (other.in_baseline, other.in_loss, &other.reason)
        {
            let words = |row: &Row| {
                format!("in_baseline {}, in_loss {}, {:?}", row.in_baseline, row.in_loss, row.reason)
            };
            return Some(format!("{} against {}", words(self), words(other)));
        }
        let bits = |x: &Option<f64>| x.map(f64::to_bits);
        for (name, list) in &self.lists {
            let theirs = &other.lists[name];
            if !list.iter().map(bits).eq(theirs.iter().map(bits)) {
                return Some(format!("{name} {list:?} against {theirs:?}"));
            }
        }
        for (name, bits) in &self.signals {
            if Some(bits) != other.signals.get(name) {
                let shown = |bits: &[Option<u64>]| -> Vec<Option<f64>> {
                    bits.iter().map(|x| x.map(f64::from_bits)).collect()
                };
                let theirs = other.signals.get(name).map(|bits| shown(bits));
                return Some(format!("signal {name}: {:?} against {theirs:?}", shown(bits)));
            }
        }
        None
    }

    /// True if the rollout is trained on, or of a recipe without an advantage, if it has what the last of its
    /// signals says.
    pub fn speaks(&self, result: Option<&str>) -> bool {
        let Some(result) = result else { return self.in_loss };
        self.signals.get(result).into_iter().flatten().any(Option::is_some)
    }

    /// True if an advantage is not 0.
    pub fn trains(&self) -> bool {
        let lists = ["token_advantages", "step_advantages"].iter().filter_map(|name| self.lists.get(*name));
        lists.flatten().flatten().any(|&x| x != 0.0)
    }

    /// The trainable tokens' advantages.
    pub fn advantages(&self) -> &[Option<f64>] {
        self.lists.get("token_advantages").map_or(&[], Vec::as_slice)
    }
}

fn list(column: &ArrayRef, row: usize) -> Vec<Option<f64>> {
    let list = column.as_list::<i32>();
    if list.is_null(row) {
        return Vec::new();
    }
    let cell = list.value(row);
    match cell.data_type() {
        DataType::Float32 => cell.as_primitive::<Float32Type>().iter().map(|x| x.map(f64::from)).collect(),
        _ => cell.as_primitive::<Float64Type>().iter().collect(),
    }
}

/// What is wrong, by recipe.
#[derive(Default)]
pub struct Failures(Vec<String>);

impl Failures {
    pub fn add(&mut self, recipe: &str, what: impl Into<String>) {
        self.0.push(format!("{recipe}: {}", what.into()));
    }

    pub fn report(self) {
        assert!(self.0.is_empty(), "{} failures\n{}", self.0.len(), self.0.join("\n"));
    }
}

/// Rows of a batch in another order, or some of them.
pub fn rows(batch: &RecordBatch, rows: impl IntoIterator<Item = usize>) -> RecordBatch {
    let rows = UInt32Array::from_iter_values(rows.into_iter().map(|row| row as u32));
    take_record_batch(batch, &rows).expect("rows of the batch")
}

/// The row of a rollout.
pub fn row_of(batch: &RecordBatch, key: &Key) -> usize {
    let (iterations, ids) =
        (batch["iteration"].as_primitive::<Int64Type>(), batch["rollout_id"].as_string::<i32>());
    (0..batch.num_rows())
        .find(|&row| (iterations.value(row), ids.value(row)) == (key.0, &key.1))
        .expect("a rollout of that key")
}

/// The batch with another array in the place of a column.
pub fn replaced(batch: &RecordBatch, column: &str, array: ArrayRef) -> RecordBatch {
    let field = batch.schema().field_with_name(column).expect("the column").clone();
    with_columns(batch.clone(), [(field, array)]).expect("a column of the same type")
}

/// The column with null in one row.
pub fn with_null(column: &ArrayRef, at: usize) -> ArrayRef {
    let rows: UInt32Array = (0..column.len()).map(|row| (row != at).then_some(row as u32)).collect();
    take(column, &rows, None).expect("rows of the column")
}

/// The list column with null in the place of one element of a row.
pub fn with_null_element(column: &ArrayRef, row: usize, element: usize) -> ArrayRef {
    let list = column.as_list::<i32>();
    let at = list.value_offsets()[row] as usize + element;
    changed_values(column, |values| with_null(values, at))
}

fn changed_values(column: &ArrayRef, change: impl FnOnce(&ArrayRef) -> ArrayRef) -> ArrayRef {
    let list = column.as_list::<i32>();
    let DataType::List(field) = list.data_type() else {
        panic!("{} is no list", list.data_type());
    };
    let values = change(list.values());
    std::sync::Arc::new(ListArray::new(field.clone(), list.offsets().clone(), values, list.nulls().cloned()))
}

/// The column with NaN for the first number of one row; `None` where it holds no floating-point numbers, or
/// none there.
pub fn with_nan(column: &ArrayRef, row: usize) -> Option<ArrayRef> {
    match column.data_type() {
        DataType::Float64 => {
            let mut values: Vec<Option<f64>> = column.as_primitive::<Float64Type>().iter().collect();
            *values.get_mut(row)? = Some(f64::NAN);
            Some(std::sync::Arc::new(Float64Array::from(values)))
        }
        DataType::Float32 => {
            let mut values: Vec<Option<f32>> = column.as_primitive::<Float32Type>().iter().collect();
            *values.get_mut(row)? = Some(f32::NAN);
            Some(std::sync::Arc::new(Float32Array::from(values)))
        }
        DataType::List(_) => {
            let list = column.as_list::<i32>();
            if list.is_null(row) || list.value_length(row) == 0 {
                return None;
            }
            let at = list.value_offsets()[row] as usize;
            let values = with_nan(list.values(), at)?;
            Some(changed_values(column, |_| values))
        }
        _ => None,
    }
}

/// The error in full, for messages.
pub fn words(error: &Error) -> String {
    format!("{error}; {}", error.hint())
}

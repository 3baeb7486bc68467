//! Probes of the answer after each step, reduced to how right and how sure the policy was.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, ListArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Schema};

use super::{AddSignals, is_given};
use crate::columns::list_of;
use crate::credit::Unit;
use crate::judge::likelihood::ProbeOf;
use crate::{Error, Place, Result};

const LOGPROBS: &str = "step_probe_logprobs";
const TOPS: &str = "step_probe_top_logprobs";

/// Adds `step_accuracy` and `step_confidence` from stored probes (SPAE): per step, per completion, per
/// position of the answer, `step_probe_logprobs` has the log-probability of the answer's token (null where it
/// was not among those returned) and `step_probe_top_logprobs` the list of those returned.
///
/// With `M` the number of positions of the answer, the greatest among the rollout's probes, accuracy is the
/// mean over completions of `exp(sum lp) / M`, and confidence that of `exp(-sum H) / M`, where
/// `H = -sum p ln p` over the returned ones. A completion without positions adds nothing and counts; a step
/// without completions has 0, and null where its list is null.
///
/// ```
/// use meed_operators::signals::{AddSignals, Probes};
/// assert_eq!(Probes { missing: -10.0 }.adds().len(), 2);
/// ```
#[derive(Debug, Clone)]
pub struct Probes {
    /// Log-probability of a token that was not among those returned; -10 in the code.
    pub missing: f64,
}

impl AddSignals for Probes {
    fn name(&self) -> &str {
        "probes"
    }

    fn reads(&self) -> Vec<String> {
        vec![LOGPROBS.to_owned(), TOPS.to_owned()]
    }

    fn adds(&self) -> Vec<Field> {
        ["step_accuracy", "step_confidence"]
            .map(|name| Field::new(name, list_of(DataType::Float64), true))
            .to_vec()
    }

    fn given(&self, schema: &Schema) -> bool {
        is_given(self, schema)
    }

    fn apply(&self, unit: &Unit) -> Result<Vec<ArrayRef>> {
        let gold = Nested::<3>::of(unit, LOGPROBS)?;
        let tops = Nested::<4>::of(unit, TOPS)?;
        let accuracy =
            gold.means(ProbeOf::Accuracy, |position| gold.number(position).unwrap_or(self.missing))?;
        let entropy = |position: usize| -> f64 {
            let range = tops.range(3, position);
            let probable = range.filter_map(|i| tops.number(i)).filter(|logprob| logprob.exp() > 0.0);
            probable.map(|logprob| -logprob.exp() * logprob).sum()
        };
        let confidence = tops.means(ProbeOf::Confidence, entropy)?;
        Ok(vec![accuracy, confidence])
    }
}

/// Lists in lists, so many levels deep, around numbers.
struct Nested<const DEPTH: usize> {
    lists: Vec<ListArray>,
    values: Float64Array,
}

impl<const DEPTH: usize> Nested<DEPTH> {
    fn of(unit: &Unit, name: &str) -> Result<Self> {
        let shape = || {
            let place = Place::default().column(name);
            let hint = "one list per step, in it one per completion, in it one value or list per position";
            Error::data(place, format!("is not {DEPTH} lists deep around numbers"), hint)
        };
        let column = unit.column(name).ok_or_else(|| Error::MissingSignal {
            recipe: "probes".into(),
            signal: name.into(),
            hint: "probe the answer after each step: `meed judge` with probe, or import".into(),
        })?;
        let mut lists: Vec<ListArray> = Vec::with_capacity(DEPTH);
        let mut values = column.clone();
        for _ in 0..DEPTH {
            let list = values.as_list_opt::<i32>().ok_or_else(shape)?.clone();
            values = list.values().clone();
            lists.push(list);
        }
        if !values.data_type().is_numeric() && *values.data_type() != DataType::Null {
            return Err(shape());
        }
        let values = cast(&values, &DataType::Float64)?.as_primitive::<Float64Type>().clone();
        Ok(Nested { lists, values })
    }

    /// Elements of list `at` at a depth.
    fn range(&self, depth: usize, at: usize) -> std::ops::Range<usize> {
        let list = &self.lists[depth];
        match list.is_valid(at) {
            true => list.value_offsets()[at] as usize..list.value_offsets()[at + 1] as usize,
            false => 0..0,
        }
    }

    fn number(&self, at: usize) -> Option<f64> {
        self.values.is_valid(at).then(|| self.values.value(at))
    }

    /// Per step the mean over its completions of what `of` makes of the values at their positions.
    fn means(&self, of: ProbeOf, value: impl Fn(usize) -> f64) -> Result<ArrayRef> {
        let (rows, steps) = (&self.lists[0], &self.lists[1]);
        let (mut means, mut lengths) = (Vec::new(), Vec::with_capacity(rows.len()));
        for row in 0..rows.len() {
            let own = self.range(0, row);
            let positions =
                own.clone().flat_map(|step| self.range(1, step)).map(|probe| self.range(2, probe).len());
            let answer = positions.max().unwrap_or(0);
            lengths.push(own.len());
            means.extend(own.map(|step| {
                let probes = self.range(1, step);
                let count = probes.len().max(1) as f64;
                let given = probes.map(|probe| of.one(self.range(2, probe).map(&value), answer));
                steps.is_valid(step).then(|| given.sum::<f64>() / count)
            }));
        }
        let field = Arc::new(Field::new("element", DataType::Float64, true));
        let nulls: NullBuffer = (0..rows.len()).map(|row| rows.is_valid(row)).collect();
        let lists = ListArray::try_new(
            field,
            OffsetBuffer::from_lengths(lengths),
            Arc::new(Float64Array::from(means)),
            Some(nulls),
        )?;
        Ok(Arc::new(lists))
    }
}

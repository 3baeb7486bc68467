//! Attention metrics of stored attention: the same signals as the judges that read a model's heads.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, ListArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Float32Type, Float64Type, Schema};

use super::{AddSignals, is_given};
use crate::columns::list_of;
use crate::credit::{TOKEN, Unit};
use crate::judge::attention::{Triangle, flow, future_influence, look_back, question_and_answer};
use crate::{Error, Place, Result};

/// The mean attention of the heads that look near.
pub const LOCAL: &str = "attention_local";
/// The mean attention of the heads that look far.
pub const GLOBAL: &str = "attention_global";
/// The mean attention of all heads.
pub const MEAN: &str = "attention_mean";

/// Adds `token_waad`, the windowed average attention distance, from `attention_local`.
///
/// Every attention column has one flat lower triangle per rollout over its prompt and its tokens: row `t`
/// has the `t + 1` weights with which token `t` attends to the tokens up to itself. What is not the
/// rollout's own tokens is the prompt. Null where the attention is.
///
/// ```
/// use meed_operators::signals::{AddSignals, AttentionLookBack};
/// assert_eq!(AttentionLookBack { window: 10 }.adds()[0].name(), "token_waad");
/// ```
#[derive(Debug, Clone)]
pub struct AttentionLookBack {
    /// Distances count up to it; 10 in the paper.
    pub window: usize,
}

/// Adds `token_fai`, the future attention influence, from `attention_global`.
#[derive(Debug, Clone)]
pub struct AttentionInfluence {
    /// The nearest token that counts; 10 in the paper.
    pub nearest: usize,
    /// The farthest token that counts; 100 in the paper.
    pub farthest: usize,
}

/// Adds `token_flow`, the throughput of information from the prompt to the answer, from
/// `attention_mean`. Null for rollouts in which nothing of the prompt reaches the answer.
#[derive(Debug, Clone)]
pub struct AttentionFlow {
    /// Attention below it counts as none.
    pub threshold: f64,
    /// Trainable tokens at the end of the rollout that are the answer.
    pub answer_tokens: usize,
    /// The column that is true at tokens of the answer, in place of the last ones.
    pub answer: Option<String>,
}

impl AddSignals for AttentionLookBack {
    fn name(&self) -> &str {
        "attention_look_back"
    }

    fn reads(&self) -> Vec<String> {
        vec![LOCAL.to_owned()]
    }

    fn adds(&self) -> Vec<Field> {
        vec![numbers("token_waad")]
    }

    fn given(&self, schema: &Schema) -> bool {
        is_given(self, schema)
    }

    fn apply(&self, unit: &Unit) -> Result<Vec<ArrayRef>> {
        let one = |triangle: Weights<'_>, rollout: Rollout| {
            Some(match triangle {
                Weights::Single(triangle) => look_back(triangle, rollout.prompt, self.window),
                Weights::Double(triangle) => look_back(triangle, rollout.prompt, self.window),
            })
        };
        per_token(self.name(), unit, LOCAL, one)
    }
}

impl AddSignals for AttentionInfluence {
    fn name(&self) -> &str {
        "attention_influence"
    }

    fn reads(&self) -> Vec<String> {
        vec![GLOBAL.to_owned()]
    }

    fn adds(&self) -> Vec<Field> {
        vec![numbers("token_fai")]
    }

    fn given(&self, schema: &Schema) -> bool {
        is_given(self, schema)
    }

    fn apply(&self, unit: &Unit) -> Result<Vec<ArrayRef>> {
        let (nearest, farthest) = (self.nearest, self.farthest);
        let one = |triangle: Weights<'_>, rollout: Rollout| {
            Some(match triangle {
                Weights::Single(triangle) => future_influence(triangle, rollout.prompt, nearest, farthest),
                Weights::Double(triangle) => future_influence(triangle, rollout.prompt, nearest, farthest),
            })
        };
        per_token(self.name(), unit, GLOBAL, one)
    }
}

impl AddSignals for AttentionFlow {
    fn name(&self) -> &str {
        "attention_flow"
    }

    fn reads(&self) -> Vec<String> {
        [MEAN.to_owned()].into_iter().chain(self.answer.clone()).collect()
    }

    fn adds(&self) -> Vec<Field> {
        vec![numbers("token_flow")]
    }

    fn given(&self, schema: &Schema) -> bool {
        is_given(self, schema)
    }

    fn apply(&self, unit: &Unit) -> Result<Vec<ArrayRef>> {
        let mask = unit.mask()?;
        let marked = self.answer.as_ref().map(|name| answers(unit, name, &mask)).transpose()?;
        let one = |triangle: Weights<'_>, rollout: Rollout| {
            let tokens = rollout.tokens.clone();
            let (candidates, last) = match &marked {
                Some(marked) => (marked, tokens.len()),
                None => (&mask, self.answer_tokens),
            };
            let candidates = candidates.slice(tokens.start, tokens.len());
            let all = rollout.prompt + tokens.len();
            let (question, answer) = question_and_answer(all, rollout.prompt, &candidates, last);
            let flow = match triangle {
                Weights::Single(triangle) => flow(triangle, &question, &answer, self.threshold),
                Weights::Double(triangle) => flow(triangle, &question, &answer, self.threshold),
            };
            flow.map(|flow| flow[rollout.prompt..].to_vec())
        };
        per_token(self.name(), unit, MEAN, one)
    }
}

/// The tokens of all rows at which a column of flags is true; where a list is null, none are.
fn answers(unit: &Unit, name: &str, mask: &BooleanArray) -> Result<BooleanArray> {
    let list = unit.list(name).ok_or_else(|| missing("attention_flow", name))?;
    let flags = list.values().as_boolean_opt().ok_or_else(|| {
        Error::data(
            Place::default().column(name),
            "is no list of flags",
            "mark the answer with true and false",
        )
    })?;
    let tokens = unit.extent(&TOKEN)?;
    let mut answer = vec![false; mask.len()];
    for row in (0..unit.rows()).filter(|&row| list.is_valid(row)) {
        let own = &mut answer[tokens.rows[row]..tokens.rows[row + 1]];
        let first = list.value_offsets()[row] as usize;
        if list.value_length(row) as usize != own.len() {
            return Err(Error::data(unit.place(row, name), "has not one flag per token", "mark every token"));
        }
        for (t, answer) in own.iter_mut().enumerate() {
            *answer = flags.is_valid(first + t) && flags.value(first + t);
        }
    }
    Ok(answer.into())
}

/// The attention of a rollout, as it is stored.
enum Weights<'a> {
    Single(Triangle<'a, f32>),
    Double(Triangle<'a, f64>),
}

/// Where a rollout's tokens are: in the unit, and after so many tokens of its prompt.
struct Rollout {
    tokens: Range<usize>,
    prompt: usize,
}

/// One number per token of every rollout with attention, null lists for the others.
fn per_token(
    operator: &str,
    unit: &Unit,
    column: &str,
    one: impl Fn(Weights<'_>, Rollout) -> Option<Vec<f64>>,
) -> Result<Vec<ArrayRef>> {
    let list = unit.list(column).ok_or_else(|| missing(operator, column))?;
    let tokens = unit.extent(&TOKEN)?;
    let (mut values, mut lengths, mut valid) = (Vec::with_capacity(tokens.len()), Vec::new(), Vec::new());
    for row in 0..unit.rows() {
        let own = tokens.rows[row]..tokens.rows[row + 1];
        let numbers = match list.is_valid(row) {
            true => {
                let triangle = triangle(unit, row, column, list)?;
                let all = match &triangle {
                    Weights::Single(triangle) => triangle.tokens(),
                    Weights::Double(triangle) => triangle.tokens(),
                };
                let prompt = all.checked_sub(own.len()).ok_or_else(|| {
                    Error::data(
                        unit.place(row, column),
                        format!("is over {all} tokens, but the rollout has {}", own.len()),
                        "attention is over the prompt and all tokens of the rollout",
                    )
                })?;
                one(triangle, Rollout { tokens: own, prompt })
            }
            false => None,
        };
        valid.push(numbers.is_some());
        lengths.push(numbers.as_ref().map_or(0, Vec::len));
        values.extend(numbers.into_iter().flatten());
    }
    let field = Arc::new(Field::new("element", DataType::Float64, true));
    let lists = ListArray::try_new(
        field,
        OffsetBuffer::from_lengths(lengths),
        Arc::new(Float64Array::from(values)),
        Some(NullBuffer::from(valid)),
    )?;
    Ok(vec![Arc::new(lists)])
}

fn triangle<'a>(unit: &Unit, row: usize, column: &str, list: &'a ListArray) -> Result<Weights<'a>> {
    let range = list.value_offsets()[row] as usize..list.value_offsets()[row + 1] as usize;
    let bad = |message: String| {
        let hint = "write n(n+1)/2 weights for the n tokens of prompt and rollout, row after row";
        Error::data(unit.place(row, column), message, hint)
    };
    let values = list.values();
    if values.nulls().is_some_and(|nulls| range.clone().any(|i| nulls.is_null(i))) {
        return Err(bad("has a weight that is null".to_owned()));
    }
    let length = range.len();
    let triangle = match values.data_type() {
        DataType::Float32 => {
            Triangle::new(&values.as_primitive::<Float32Type>().values()[range]).map(Weights::Single)
        }
        DataType::Float64 => {
            Triangle::new(&values.as_primitive::<Float64Type>().values()[range]).map(Weights::Double)
        }
        other => return Err(bad(format!("holds {other}, where attention is Float32"))),
    };
    triangle.ok_or_else(|| bad(format!("has {length} weights, which are no lower triangle")))
}

fn numbers(name: &str) -> Field {
    Field::new(name, list_of(DataType::Float64), true)
}

fn missing(operator: &str, column: &str) -> Error {
    Error::MissingSignal {
        recipe: operator.to_owned(),
        signal: column.to_owned(),
        hint: "store the attention of a forward pass over prompt and rollout, or judge the rollouts".into(),
    }
}

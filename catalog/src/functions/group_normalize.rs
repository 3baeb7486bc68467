//! `group_normalize(reward [, ddof [, eps]])` over a group: the reward in units of its spread.

use std::sync::Arc;

use crate::arrow::array::{ArrayRef, AsArray, Float64Array};
use crate::arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Int64Type};
use crate::datafusion::error::{DataFusionError, Result};
use crate::datafusion::logical_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use crate::datafusion::logical_expr::{
    LimitEffect, PartitionEvaluator, Signature, TypeSignature, Volatility, WindowUDFImpl,
};
use crate::datafusion::physical_expr::PhysicalExpr;

const DDOF: i64 = 1;
const EPS: f64 = 1e-6;

#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct GroupNormalize {
    signature: Signature,
}

impl GroupNormalize {
    pub(super) fn new() -> Self {
        let reward = DataType::Float64;
        let forms = vec![
            TypeSignature::Exact(vec![reward.clone()]),
            TypeSignature::Exact(vec![reward.clone(), DataType::Int64]),
            TypeSignature::Exact(vec![reward, DataType::Int64, DataType::Float64]),
        ];
        GroupNormalize { signature: Signature::one_of(forms, Volatility::Immutable) }
    }
}

impl WindowUDFImpl for GroupNormalize {
    fn name(&self) -> &str {
        "group_normalize"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn partition_evaluator(&self, _arguments: PartitionEvaluatorArgs) -> Result<Box<dyn PartitionEvaluator>> {
        Ok(Box::new(WholeGroup))
    }

    fn field(&self, arguments: WindowUDFFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(arguments.name(), DataType::Float64, true)))
    }

    fn limit_effect(&self, _arguments: &[Arc<dyn PhysicalExpr>]) -> LimitEffect {
        // The statistics need every row of the group.
        LimitEffect::Unknown
    }
}

/// Evaluates a group at once; frames and order inside the group make no difference.
#[derive(Debug)]
struct WholeGroup;

impl PartitionEvaluator for WholeGroup {
    fn evaluate_all(&mut self, values: &[ArrayRef], _rows: usize) -> Result<ArrayRef> {
        let rewards = values[0].as_primitive::<Float64Type>();
        let ddof = match values.get(1) {
            Some(ddof) => constant(ddof.as_primitive::<Int64Type>().iter(), "ddof")?.unwrap_or(DDOF),
            None => DDOF,
        };
        let eps = match values.get(2) {
            Some(eps) => constant(eps.as_primitive::<Float64Type>().iter(), "eps")?.unwrap_or(EPS),
            None => EPS,
        };
        Ok(Arc::new(normalize(rewards, ddof, eps)?))
    }
}

/// The one value of an argument that has to be the same in all rows.
fn constant<T: PartialEq>(mut values: impl Iterator<Item = Option<T>>, name: &str) -> Result<Option<T>> {
    let first = values.next().flatten();
    match values.all(|value| value == first) {
        true => Ok(first),
        false => Err(DataFusionError::Plan(format!(
            "group_normalize: {name} must be the same in all rows of a group"
        ))),
    }
}

/// (x - mean) / (std + eps) in two passes; 0 where there is no spread.
fn normalize(rewards: &Float64Array, ddof: i64, eps: f64) -> Result<Float64Array> {
    let known: Vec<f64> = rewards.iter().flatten().collect();
    if let Some(value) = known.iter().find(|value| !value.is_finite()) {
        return Err(DataFusionError::Execution(format!(
            "group_normalize: a reward is {value}; filter such rows, or set them to null"
        )));
    }
    let count = known.len() as f64;
    let degrees = count - ddof as f64;
    // Equal values are told by comparison: their rounded mean may differ from them.
    let spread = known.iter().any(|value| *value != known[0]) && degrees > 0.0;
    if !spread {
        return Ok(rewards.iter().map(|reward| reward.map(|_| 0.0)).collect());
    }
    let mean = known.iter().sum::<f64>() / count;
    let squares: f64 = known.iter().map(|value| (value - mean).powi(2)).sum();
    let std = (squares / degrees).sqrt();
    Ok(rewards.iter().map(|reward| reward.map(|reward| (reward - mean) / (std + eps))).collect())
}

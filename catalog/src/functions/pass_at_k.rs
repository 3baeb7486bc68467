//! `pass_at_k(correct, k)`: the unbiased estimate of the chance that one of k rollouts is correct.

use std::sync::Arc;

use crate::arrow::array::{Array, ArrayRef, AsArray};
use crate::arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use crate::datafusion::error::{DataFusionError, Result};
use crate::datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use crate::datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Signature, Volatility};
use crate::datafusion::scalar::ScalarValue;

#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct PassAtK {
    signature: Signature,
}

impl PassAtK {
    pub(super) fn new() -> Self {
        PassAtK {
            signature: Signature::exact(vec![DataType::Boolean, DataType::Int64], Volatility::Immutable),
        }
    }
}

impl AggregateUDFImpl for PassAtK {
    fn name(&self) -> &str {
        "pass_at_k"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn accumulator(&self, _arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Counts::default()))
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(["rollouts", "correct", "k"]
            .into_iter()
            .map(|part| {
                let name = format!("{}[{part}]", arguments.name);
                Arc::new(Field::new(name, DataType::Int64, true))
            })
            .collect())
    }
}

/// Rollouts with a verdict, correct ones among them, and k where any row gave it.
#[derive(Debug, Default)]
struct Counts {
    rollouts: i64,
    correct: i64,
    k: Option<i64>,
}

impl Counts {
    fn set_k(&mut self, k: i64) -> Result<()> {
        let wrong = |message: &str| Err(DataFusionError::Plan(message.to_owned()));
        match self.k {
            _ if k < 1 => wrong("pass_at_k: k must be at least 1"),
            Some(known) if known != k => wrong("pass_at_k: k must be the same in all rows"),
            _ => {
                self.k = Some(k);
                Ok(())
            }
        }
    }
}

impl Accumulator for Counts {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let verdicts = values[0].as_boolean();
        let ks = values[1].as_primitive::<Int64Type>();
        for k in ks.iter() {
            match k {
                Some(k) => self.set_k(k)?,
                None => return Err(DataFusionError::Plan("pass_at_k: k is null".to_owned())),
            }
        }
        self.rollouts += (verdicts.len() - verdicts.null_count()) as i64;
        self.correct += verdicts.true_count() as i64;
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let part = |index: usize| states[index].as_primitive::<Int64Type>();
        self.rollouts += part(0).iter().flatten().sum::<i64>();
        self.correct += part(1).iter().flatten().sum::<i64>();
        for k in part(2).iter().flatten() {
            self.set_k(k)?;
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![
            ScalarValue::Int64(Some(self.rollouts)),
            ScalarValue::Int64(Some(self.correct)),
            ScalarValue::Int64(self.k),
        ])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let estimate = self.k.and_then(|k| pass_at_k(self.rollouts, self.correct, k));
        Ok(ScalarValue::Float64(estimate))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}

/// 1 - C(n-c, k) / C(n, k) as a product, which stays in range; `None` where n < k.
fn pass_at_k(n: i64, c: i64, k: i64) -> Option<f64> {
    if n < k {
        return None;
    }
    if n - c < k {
        return Some(1.0);
    }
    let all_wrong: f64 = (n - c + 1..=n).map(|i| 1.0 - k as f64 / i as f64).product();
    Some(1.0 - all_wrong)
}

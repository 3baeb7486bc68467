//! `trainable_tokens(token_mask)`: how many tokens of a rollout may be trained on.

use std::sync::Arc;

use crate::arrow::array::{AsArray, Int64Array};
use crate::arrow::datatypes::{DataType, Field};
use crate::datafusion::error::{DataFusionError, Result};
use crate::datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct TrainableTokens {
    signature: Signature,
}

impl TrainableTokens {
    pub(super) fn new() -> Self {
        TrainableTokens { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for TrainableTokens {
    fn name(&self) -> &str {
        "trainable_tokens"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        match arguments {
            [DataType::List(child)] if child.data_type() == &DataType::Boolean => Ok(arguments.to_vec()),
            [DataType::Null] => {
                Ok(vec![DataType::List(Arc::new(Field::new("element", DataType::Boolean, true)))])
            }
            _ => Err(DataFusionError::Plan(
                "trainable_tokens takes one list of booleans, such as token_mask".to_owned(),
            )),
        }
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        let masks = arrays[0].as_list::<i32>();
        let counts: Int64Array =
            masks.iter().map(|mask| mask.map(|mask| mask.as_boolean().true_count() as i64)).collect();
        Ok(ColumnarValue::Array(Arc::new(counts)))
    }
}

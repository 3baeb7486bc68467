//! Columns that models add to rollouts: one number per token.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float32Array, ListArray, RecordBatch};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field};
use meed_operators::columns::with_columns;
use meed_operators::policy::TokenBatch;
use meed_operators::{Error, Result};

/// The rollouts with a token signal put in the place of the column of that name, or at the end; null
/// where the token is masked, because the model was not asked there.
///
/// # Errors
/// Values or rollouts that do not belong to the tokens.
pub fn with_token_signal(
    batch: RecordBatch,
    name: &str,
    values: &[f32],
    tokens: &TokenBatch,
) -> Result<RecordBatch> {
    if tokens.len() != batch.num_rows() || values.len() != tokens.tokens.len() {
        return Err(Error::external(
            format!("adding {name}"),
            format!("{} values came for {} tokens", values.len(), tokens.tokens.len()),
            "a model answers with one value per token",
        ));
    }
    let too_long =
        |_| Error::usage("an iteration has more than 2^31 tokens", "sample fewer rollouts at a time");
    let offsets: Vec<i32> = tokens
        .offsets
        .iter()
        .map(|&offset| i32::try_from(offset))
        .collect::<Result<_, _>>()
        .map_err(too_long)?;
    let known = NullBuffer::from(tokens.mask.clone());
    let values = Float32Array::new(ScalarBuffer::from(values.to_vec()), Some(known));
    let element = Arc::new(Field::new("element", DataType::Float32, true));
    let list =
        ListArray::try_new(element, OffsetBuffer::new(ScalarBuffer::from(offsets)), Arc::new(values), None)?;
    let field = Field::new(name, list.data_type().clone(), true);
    with_columns(batch, [(field, Arc::new(list) as ArrayRef)])
}

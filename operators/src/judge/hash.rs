//! The hash of everything that a judgement depends on.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, downcast_primitive_array};
use arrow::datatypes::ToByteSlice;
use twox_hash::XxHash3_128;

use super::{Judge, JudgeContext};

/// Hash of judge, version, parameters, the policy where the judge asks it, and the content of the
/// columns that it reads in one row: 32 hexadecimal digits. It does not depend on the batch that the
/// row is part of, nor on columns that the judge does not read.
pub(super) fn input_hash(
    judge: &dyn Judge,
    context: &JudgeContext,
    batch: &RecordBatch,
    row: usize,
) -> String {
    let mut hasher = XxHash3_128::new();
    text(&mut hasher, judge.name());
    text(&mut hasher, judge.version());
    text(&mut hasher, judge.level());
    text(&mut hasher, &judge.parameters().to_string());
    if judge.asks_policy() {
        text(&mut hasher, &context.model);
        let version = context.policy.as_ref().map(|policy| policy.version());
        hasher.write(&version.unwrap_or(-1).to_le_bytes());
    }
    for name in judge.reads() {
        text(&mut hasher, &name);
        match batch.column_by_name(&name) {
            Some(column) => value(&mut hasher, column, row),
            None => hasher.write(&[0]),
        }
    }
    format!("{:032x}", hasher.finish_128())
}

fn text(hasher: &mut XxHash3_128, text: &str) {
    // The length keeps `ab`, `c` apart from `a`, `bc`.
    hasher.write(&(text.len() as u64).to_le_bytes());
    hasher.write(text.as_bytes());
}

fn value(hasher: &mut XxHash3_128, array: &ArrayRef, row: usize) {
    if array.is_null(row) {
        hasher.write(&[0]);
        return;
    }
    hasher.write(&[1]);
    if let Some(list) = array.as_list_opt::<i32>() {
        let elements = list.value(row);
        hasher.write(&(elements.len() as u64).to_le_bytes());
        (0..elements.len()).for_each(|element| value(hasher, &elements, element));
    } else if let Some(texts) = array.as_string_opt::<i32>() {
        text(hasher, texts.value(row));
    } else if let Some(flags) = array.as_boolean_opt() {
        hasher.write(&[u8::from(flags.value(row))]);
    } else {
        other(hasher, array, row);
    }
}

/// Numbers by their bytes, and what is left by its printed form.
fn other(hasher: &mut XxHash3_128, array: &ArrayRef, row: usize) {
    let printed = |hasher: &mut XxHash3_128| {
        let value = arrow::util::display::array_value_to_string(array, row);
        text(hasher, &value.unwrap_or_default());
    };
    downcast_primitive_array!(
        array => hasher.write(array.value(row).to_byte_slice()),
        _other => printed(hasher)
    )
}

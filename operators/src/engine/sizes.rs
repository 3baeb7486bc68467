//! How many bytes some rows take, however large the buffers are that they lie in.

use arrow::array::{Array, AsArray, OffsetSizeTrait, RecordBatch};
use arrow::datatypes::DataType;

/// Bytes of the rows `offset..offset + length` of all columns, validity bits left out.
///
/// The cost is that of the metadata, except for string views.
pub fn bytes_of_rows(rows: &RecordBatch, offset: usize, length: usize) -> usize {
    let columns = rows.columns().iter();
    columns.map(|column| bytes_of(column, offset, length)).sum()
}

fn bytes_of(array: &dyn Array, offset: usize, length: usize) -> usize {
    if length == 0 {
        return 0;
    }
    match array.data_type() {
        DataType::Null => 0,
        DataType::Boolean => length.div_ceil(8),
        DataType::Utf8 => of_text(array.as_string::<i32>().value_offsets(), offset, length),
        DataType::LargeUtf8 => of_text(array.as_string::<i64>().value_offsets(), offset, length),
        DataType::Binary => of_text(array.as_binary::<i32>().value_offsets(), offset, length),
        DataType::LargeBinary => of_text(array.as_binary::<i64>().value_offsets(), offset, length),
        DataType::Utf8View => {
            let lengths = array.as_string_view().lengths().skip(offset).take(length);
            lengths.map(|text| text as usize + 16).sum()
        }
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            of_list(list.values(), list.value_offsets(), offset, length)
        }
        DataType::LargeList(_) => {
            let list = array.as_list::<i64>();
            of_list(list.values(), list.value_offsets(), offset, length)
        }
        DataType::FixedSizeList(_, size) => {
            let (list, size) = (array.as_fixed_size_list(), *size as usize);
            let start = list.value_offset(offset) as usize;
            bytes_of(list.values(), start, length * size)
        }
        DataType::Struct(_) => {
            let columns = array.as_struct().columns().iter();
            columns.map(|column| bytes_of(column, offset, length)).sum()
        }
        DataType::Dictionary(key, _) => length * key.primitive_width().unwrap_or(8),
        other => match other.primitive_width() {
            Some(width) => width * length,
            None => array.get_array_memory_size() * length / array.len().max(1),
        },
    }
}

fn of_text<O: OffsetSizeTrait>(offsets: &[O], offset: usize, length: usize) -> usize {
    let bytes = (offsets[offset + length] - offsets[offset]).as_usize();
    bytes + length * size_of::<O>()
}

fn of_list<O: OffsetSizeTrait>(values: &dyn Array, offsets: &[O], offset: usize, length: usize) -> usize {
    let start = offsets[offset].as_usize();
    let end = offsets[offset + length].as_usize();
    bytes_of(values, start, end - start) + length * size_of::<O>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array, ListArray, StringArray};
    use arrow::datatypes::Float64Type;
    use std::sync::Arc;

    #[test]
    fn rows_are_measured_inside_slices() {
        let lists = ListArray::from_iter_primitive::<Float64Type, _, _>(
            (0..10).map(|row| Some(vec![Some(0.5); row * 10])),
        );
        let rows = RecordBatch::try_from_iter([
            ("a", Arc::new(Int64Array::from_iter_values(0..10)) as ArrayRef),
            ("b", Arc::new(StringArray::from_iter_values((0..10).map(|row| "x".repeat(row))))),
            ("c", Arc::new(lists)),
        ])
        .unwrap();
        let row = |row: usize| 8 + (4 + row) + (4 + row * 80);
        assert_eq!(bytes_of_rows(&rows, 0, 10), (0..10).map(row).sum::<usize>());
        let slice = rows.slice(4, 5);
        assert_eq!(bytes_of_rows(&slice, 0, 5), (4..9).map(row).sum::<usize>());
        assert_eq!(bytes_of_rows(&slice, 2, 1), row(6));
        assert_eq!(bytes_of_rows(&slice, 2, 0), 0);
    }
}

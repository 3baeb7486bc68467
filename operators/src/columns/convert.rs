//! Casts between Arrow types that refuse to lose a value.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array, ListArray, UInt64Array, cast::AsArray, new_null_array};
use arrow::compute::{CastOptions, can_cast_types, cast_with_options, take};
use arrow::datatypes::{DataType, Field, Float64Type};
use arrow::error::ArrowError;

use super::list_element;

/// Why a column cannot be converted.
#[derive(Debug)]
pub(super) enum Fault {
    /// This type, which was found, can never become the wanted one.
    Type(DataType),
    /// The value of one row does not fit.
    Value { index: usize, message: String },
    /// Arrow refused, for example because 32-bit offsets do not suffice.
    Arrow(ArrowError),
}

impl From<ArrowError> for Fault {
    fn from(error: ArrowError) -> Self {
        Fault::Arrow(error)
    }
}

/// Converts an array to a type; the same array where the type is the same already.
/// `integers_as_text` lets integers become text. Lists come back with offsets from 0.
pub(super) fn convert(
    array: &ArrayRef,
    wanted: &DataType,
    integers_as_text: bool,
) -> Result<ArrayRef, Fault> {
    if array.data_type() == wanted {
        return Ok(array.clone());
    }
    if array.data_type() == &DataType::Null {
        return Ok(new_null_array(wanted, array.len()));
    }
    match wanted {
        DataType::List(field) => convert_list(array, field, integers_as_text),
        _ => convert_values(array, wanted, integers_as_text),
    }
}

fn convert_list(array: &ArrayRef, field: &Arc<Field>, integers_as_text: bool) -> Result<ArrayRef, Fault> {
    let list = live_list(array)?;
    let first = list.value_offsets()[0];
    let last = list.value_offsets()[list.len()];
    let values = list.values().slice(first as usize, (last - first) as usize);
    let offsets = match first {
        0 => list.offsets().clone(),
        _ => list.offsets().clone().subtract(first),
    };
    let values = convert(&values, field.data_type(), integers_as_text).map_err(|fault| match fault {
        Fault::Value { index, message } => {
            Fault::Value { index: offsets.partition_point(|&offset| offset as usize <= index) - 1, message }
        }
        Fault::Type(_) => Fault::Type(array.data_type().clone()),
        other => other,
    })?;
    let nulls = list.nulls().cloned();
    Ok(Arc::new(ListArray::try_new(field.clone(), offsets, values, nulls)?))
}

/// The array as a `List` in which null rows own no elements, so that every element is a value.
fn live_list(array: &ArrayRef) -> Result<ListArray, Fault> {
    let Some(element) = list_element(array.data_type()) else {
        return Err(Fault::Type(array.data_type().clone()));
    };
    let list: ArrayRef = match array.data_type() {
        DataType::List(_) => array.clone(),
        from => {
            let to = DataType::List(Arc::new(Field::new("element", element.clone(), true)));
            if !can_cast_types(from, &to) {
                return Err(Fault::Type(from.clone()));
            }
            cast_with_options(array, &to, &EXACT)?
        }
    };
    Ok(live(list.as_list::<i32>())?)
}

/// True where a null row of the list, or of the lists in it, owns elements.
pub(super) fn hides_elements(list: &ListArray) -> bool {
    list.offsets().has_non_empty_nulls(list.nulls())
        || list.values().as_list_opt::<i32>().is_some_and(hides_elements)
}

/// The same lists, of which null rows own no elements.
pub(super) fn live(list: &ListArray) -> Result<ListArray, ArrowError> {
    let list = match list.offsets().has_non_empty_nulls(list.nulls()) {
        true => {
            let rows = UInt64Array::from_iter_values(0..list.len() as u64);
            take(list, &rows, None)?.as_list::<i32>().clone()
        }
        false => list.clone(),
    };
    match (list.data_type(), list.values().as_list_opt::<i32>()) {
        (DataType::List(field), Some(inner)) if hides_elements(inner) => ListArray::try_new(
            field.clone(),
            list.offsets().clone(),
            Arc::new(live(inner)?),
            list.nulls().cloned(),
        ),
        _ => Ok(list),
    }
}

/// Arrow reports what does not fit as an error.
const EXACT: CastOptions<'static> = options(false);
/// Arrow makes a null of what does not fit, so that we can say which value it was.
const LENIENT: CastOptions<'static> = options(true);

const fn options(safe: bool) -> CastOptions<'static> {
    CastOptions { safe, format_options: arrow::util::display::FormatOptions::new() }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Bytes,
    Boolean,
    Integer,
    Float,
    Other,
}

fn kind(data_type: &DataType) -> Kind {
    use DataType::*;
    match data_type {
        Utf8 | LargeUtf8 | Utf8View => Kind::Text,
        Binary | LargeBinary | BinaryView | FixedSizeBinary(_) => Kind::Bytes,
        Boolean => Kind::Boolean,
        integer if integer.is_integer() => Kind::Integer,
        number if number.is_numeric() => Kind::Float,
        _ => Kind::Other,
    }
}

fn convert_values(array: &ArrayRef, wanted: &DataType, integers_as_text: bool) -> Result<ArrayRef, Fault> {
    if let DataType::Dictionary(_, value) = array.data_type() {
        let unpacked = cast_with_options(array, value, &EXACT)?;
        return convert(&unpacked, wanted, integers_as_text);
    }
    match (kind(array.data_type()), kind(wanted)) {
        (Kind::Text | Kind::Bytes, Kind::Text) => {
            fits_32_bit_offsets(array)?;
        }
        (Kind::Integer, Kind::Integer | Kind::Float) => {}
        (Kind::Integer, Kind::Text) if integers_as_text => {}
        (Kind::Boolean, Kind::Float) => {}
        (Kind::Float, Kind::Float) => refuse_overflow(array, wanted)?,
        (Kind::Float, Kind::Integer) => refuse_fractions(array)?,
        (Kind::Integer | Kind::Float, Kind::Boolean) => refuse_other_than_0_and_1(array)?,
        _ => return Err(Fault::Type(array.data_type().clone())),
    }
    let converted = cast_with_options(array, wanted, &LENIENT)?;
    if converted.null_count() == array.logical_null_count() {
        return Ok(converted);
    }
    let lost = (0..array.len()).find(|&i| converted.is_null(i) && array.is_valid(i));
    Err(value_fault(array, lost.unwrap_or(0), |value| match kind(wanted) {
        Kind::Text => "invalid UTF-8".to_owned(),
        _ => format!("{value} does not fit into {wanted}"),
    }))
}

fn value_fault(array: &ArrayRef, index: usize, message: impl Fn(&str) -> String) -> Fault {
    let value = arrow::util::display::array_value_to_string(array, index).unwrap_or_default();
    Fault::Value { index, message: message(&value) }
}

/// Arrow panics where the bytes of a view array exceed 32-bit offsets.
fn fits_32_bit_offsets(array: &ArrayRef) -> Result<(), Fault> {
    let views = match array.data_type() {
        DataType::Utf8View => array.as_string_view().views(),
        DataType::BinaryView => array.as_binary_view().views(),
        _ => return Ok(()),
    };
    // The low 32 bits of a view are its length; lengths of null slots only make this stricter.
    let bytes: u64 = views.iter().map(|view| *view as u32 as u64).sum();
    if bytes <= i32::MAX as u64 {
        return Ok(());
    }
    Err(Fault::Arrow(ArrowError::OffsetOverflowError(bytes as usize)))
}

fn wide(array: &ArrayRef) -> Result<Float64Array, Fault> {
    let wide = cast_with_options(array, &DataType::Float64, &LENIENT)?;
    Ok(wide.as_primitive::<Float64Type>().clone())
}

fn first(values: &Float64Array, wrong: impl Fn(f64) -> bool) -> Option<usize> {
    if !values.values().iter().any(|&value| wrong(value)) {
        return None;
    }
    values.iter().position(|value| value.is_some_and(&wrong))
}

fn refuse_overflow(array: &ArrayRef, wanted: &DataType) -> Result<(), Fault> {
    if array.data_type() != &DataType::Float64 || wanted != &DataType::Float32 {
        return Ok(());
    }
    let overflows = |value: f64| value.is_finite() && !(value as f32).is_finite();
    match first(array.as_primitive::<Float64Type>(), overflows) {
        Some(index) => Err(value_fault(array, index, |value| format!("{value} does not fit into Float32"))),
        None => Ok(()),
    }
}

fn refuse_fractions(array: &ArrayRef) -> Result<(), Fault> {
    match first(&wide(array)?, |value| value.fract() != 0.0) {
        Some(index) => Err(value_fault(array, index, |value| format!("{value} is not an integer"))),
        None => Ok(()),
    }
}

fn refuse_other_than_0_and_1(array: &ArrayRef) -> Result<(), Fault> {
    let wrong = first(&wide(array)?, |value| value != 0.0 && value != 1.0);
    match wrong {
        Some(index) => Err(value_fault(array, index, |value| format!("{value} is neither 0 nor 1"))),
        None => Ok(()),
    }
}

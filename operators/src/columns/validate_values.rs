//! Checks keys and status, and that no number is NaN and no reward infinite.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, ListArray, PrimitiveArray, RecordBatch, StringArray, cast::AsArray};
use arrow::datatypes::{ArrowPrimitiveType, DataType, Float32Type, Float64Type};

use super::validate::Findings;

const STATUSES: [&str; 4] = ["complete", "truncated", "aborted", "error"];

/// Rejects rows with a null key or a status that does not exist.
pub(super) fn keys(batch: &RecordBatch, findings: &mut Findings<'_>) {
    for (name, hint) in [
        ("iteration", "write the policy version, or leave the column out of the file"),
        ("group_id", "write the id of the prompt or task"),
        ("rollout_id", "write an id that is unique in the iteration"),
        ("status", "write complete, truncated, aborted or error, or leave the column out of the file"),
    ] {
        if let Some(column) = batch.column_by_name(name)
            && column.null_count() > 0
        {
            for row in (0..column.len()).filter(|&row| column.is_null(row)) {
                findings.reject(row, name, "null", hint);
            }
        }
    }
    let status: Option<&StringArray> =
        batch.column_by_name("status").and_then(|column| column.as_string_opt());
    let Some(status) = status else {
        return;
    };
    for row in 0..status.len() {
        if status.is_valid(row) && !STATUSES.contains(&status.value(row)) {
            let message = format!("unknown status `{}`", status.value(row));
            findings.reject(row, "status", message, "write complete, truncated, aborted or error");
        }
    }
}

/// Rejects rows with a NaN anywhere, or with an infinite reward or rollout signal.
pub(super) fn numbers(batch: &RecordBatch, findings: &mut Findings<'_>) {
    let schema = batch.schema_ref();
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        let name = field.name().as_str();
        let scalar = !matches!(column.data_type(), DataType::List(_));
        let finite = scalar || name.ends_with("_rewards");
        Column { name, finite }.check(column, Path::Row, findings);
    }
}

/// How the elements of an array belong to rows.
#[derive(Clone, Copy)]
enum Path<'a> {
    /// An element is a row.
    Row,
    /// Elements of the lists of rows.
    List(&'a ListArray),
    /// Elements of the lists in the lists of rows.
    Nested(&'a ListArray, &'a ListArray),
}

/// The slots of a list's child that one slot owns; none where it is null.
fn children(list: &ListArray, slot: usize) -> Range<usize> {
    let offsets = list.value_offsets();
    match list.is_valid(slot) {
        true => offsets[slot] as usize..offsets[slot + 1] as usize,
        false => 0..0,
    }
}

/// The part of a list's child that its rows span.
fn span(list: &ListArray) -> Range<usize> {
    let offsets = list.value_offsets();
    offsets[0] as usize..offsets[list.len()] as usize
}

struct Column<'a> {
    name: &'a str,
    finite: bool,
}

impl Column<'_> {
    fn check(&self, array: &ArrayRef, path: Path<'_>, findings: &mut Findings<'_>) {
        match array.data_type() {
            DataType::Float32 => {
                let values = array.as_primitive::<Float32Type>();
                self.values(values, path, findings, f32::is_nan, f32::is_finite);
            }
            DataType::Float64 => {
                let values = array.as_primitive::<Float64Type>();
                self.values(values, path, findings, f64::is_nan, f64::is_finite);
            }
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                match path {
                    Path::Row => self.check(list.values(), Path::List(list), findings),
                    Path::List(outer) => self.check(list.values(), Path::Nested(outer, list), findings),
                    Path::Nested(..) => {}
                }
            }
            _ => {}
        }
    }

    fn values<T: ArrowPrimitiveType>(
        &self,
        array: &PrimitiveArray<T>,
        path: Path<'_>,
        findings: &mut Findings<'_>,
        is_nan: impl Fn(T::Native) -> bool,
        is_finite: impl Fn(T::Native) -> bool,
    ) {
        let range = match path {
            Path::Row => 0..array.len(),
            Path::List(list) => span(list),
            Path::Nested(outer, inner) => {
                let slots = span(outer);
                let offsets = inner.value_offsets();
                offsets[slots.start] as usize..offsets[slots.end] as usize
            }
        };
        let values = &array.values()[range];
        // One pass without branches. It also reads what lies under nulls, so a hit is only a suspicion.
        let suspicious = match self.finite {
            true => values.iter().fold(false, |any, &value| any | !is_finite(value)),
            false => values.iter().fold(false, |any, &value| any | is_nan(value)),
        };
        if !suspicious {
            return;
        }
        let wrong = |slot: &usize| {
            let value = array.values()[*slot];
            array.is_valid(*slot) && (is_nan(value) || (self.finite && !is_finite(value)))
        };
        let rows = match path {
            Path::Row => array.len(),
            Path::List(list) | Path::Nested(list, _) => list.len(),
        };
        for row in 0..rows {
            if findings.is_rejected(row) {
                continue;
            }
            let found = match path {
                Path::Row => Some(row).filter(wrong).map(|slot| (slot, None)),
                Path::List(list) => {
                    let mut slots = children(list, row);
                    let first = slots.start;
                    slots.find(wrong).map(|slot| (slot, Some(slot - first)))
                }
                Path::Nested(outer, inner) => {
                    let mut elements = children(outer, row);
                    let first = elements.start;
                    elements.find_map(|element| {
                        let slot = children(inner, element).find(wrong)?;
                        Some((slot, Some(element - first)))
                    })
                }
            };
            if let Some((slot, element)) = found {
                self.reject(row, element, is_nan(array.values()[slot]), findings);
            }
        }
    }

    fn reject(&self, row: usize, element: Option<usize>, nan: bool, findings: &mut Findings<'_>) {
        let what = if nan { "NaN" } else { "infinite" };
        let message = match element {
            Some(element) => format!("{what} at element {element}"),
            None => what.to_owned(),
        };
        let hint = "write null where a value is not known (for `reward`, with the reason in `reward_status`)";
        findings.reject(row, self.name, message, hint);
    }
}

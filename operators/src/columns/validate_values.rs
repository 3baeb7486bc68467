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
        Column { name, finite }.check(column, &[], findings);
    }
}

/// The slots of a list's child that one slot owns; none where it is null.
fn children(list: &ListArray, slot: usize) -> Range<usize> {
    let offsets = list.value_offsets();
    match list.is_valid(slot) {
        true => offsets[slot] as usize..offsets[slot + 1] as usize,
        false => 0..0,
    }
}

/// The part of the innermost list's child that the rows span.
fn span(path: &[&ListArray], rows: usize) -> Range<usize> {
    path.iter().fold(0..rows, |slots, list| {
        let offsets = list.value_offsets();
        offsets[slots.start] as usize..offsets[slots.end] as usize
    })
}

/// The first slot below one of the outermost list that is wrong.
fn find(path: &[&ListArray], slot: usize, wrong: &impl Fn(usize) -> bool) -> Option<usize> {
    match path.split_first() {
        None => Some(slot).filter(|&slot| wrong(slot)),
        Some((list, inner)) => children(list, slot).find_map(|slot| find(inner, slot, wrong)),
    }
}

struct Column<'a> {
    name: &'a str,
    finite: bool,
}

impl Column<'_> {
    /// Checks an array that lies inside so many lists, the outermost first.
    fn check(&self, array: &ArrayRef, path: &[&ListArray], findings: &mut Findings<'_>) {
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
                self.check(list.values(), &[path, &[list]].concat(), findings);
            }
            _ => {}
        }
    }

    fn values<T: ArrowPrimitiveType>(
        &self,
        array: &PrimitiveArray<T>,
        path: &[&ListArray],
        findings: &mut Findings<'_>,
        is_nan: impl Fn(T::Native) -> bool,
        is_finite: impl Fn(T::Native) -> bool,
    ) {
        let rows = path.first().map_or(array.len(), |list| list.len());
        let values = &array.values()[span(path, rows)];
        // One pass without branches. It also reads what lies under nulls, so a hit is only a suspicion.
        let suspicious = match self.finite {
            true => values.iter().fold(false, |any, &value| any | !is_finite(value)),
            false => values.iter().fold(false, |any, &value| any | is_nan(value)),
        };
        if !suspicious {
            return;
        }
        let wrong = |slot: usize| {
            let value = array.values()[slot];
            array.is_valid(slot) && (is_nan(value) || (self.finite && !is_finite(value)))
        };
        for row in 0..rows {
            if findings.is_rejected(row) {
                continue;
            }
            let found = match path.split_first() {
                None => Some(row).filter(|&slot| wrong(slot)).map(|slot| (slot, None)),
                Some((list, inner)) => {
                    let mut elements = children(list, row);
                    let first = elements.start;
                    let below =
                        |element| find(inner, element, &wrong).map(|slot| (slot, Some(element - first)));
                    elements.find_map(below)
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

//! Checks the spans of levels: `step_ends`, `<level>_ends`, `<level>_starts` and `step_turns`.

use arrow::array::{Array, ListArray, RecordBatch, cast::AsArray};
use arrow::datatypes::Int32Type;

use super::validate::Findings;
use super::validate_levels::without_null_elements;
use super::{Role, role};

const OFFSETS: &str = "offsets count tokens from the start of the rollout and never decrease; \
                       each is the end of its span, exclusive";
const STARTS: &str = "offsets count tokens from the start of the rollout and never decrease; \
                      a span starts before it ends";

/// Rejects rows whose spans run backwards or leave the tokens.
pub(super) fn spans(batch: &RecordBatch, findings: &mut Findings<'_>) {
    let schema = batch.schema_ref();
    let list = |name: &str| batch.column_by_name(name).and_then(|c| c.as_list_opt::<i32>());
    let mask = list("token_mask");
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        let (name, Some(list)) = (field.name().as_str(), column.as_list_opt::<i32>()) else {
            continue;
        };
        match role(name, field.data_type()) {
            Role::Ends { level } => {
                without_null_elements(list, name, findings);
                let last = if level == "step" { Last::Equals } else { Last::Within };
                offsets(list, name, mask, last, OFFSETS, findings);
            }
            Role::Starts { level } => {
                without_null_elements(list, name, findings);
                offsets(list, name, mask, Last::Within, STARTS, findings);
                let ends = format!("{level}_ends");
                let ends = batch.column_by_name(&ends).and_then(|c| c.as_list_opt::<i32>());
                if let Some(ends) = ends {
                    starts_before_ends(list, ends, name, findings);
                }
            }
            _ if name == "step_kinds" => without_null_elements(list, name, findings),
            _ if name == "step_turns" => {
                without_null_elements(list, name, findings);
                turns(list, findings);
            }
            _ => {}
        }
    }
}

/// What the last offset has to do with the number of tokens.
#[derive(Clone, Copy, PartialEq)]
enum Last {
    Equals,
    Within,
}

/// The `i32`s of each valid row, without rows that are rejected already.
fn integers<'a>(list: &'a ListArray) -> impl Fn(usize) -> Option<&'a [i32]> {
    let values = list.values().as_primitive_opt::<Int32Type>().map(|values| values.values().as_ref());
    let offsets = list.value_offsets();
    move |row| {
        let values: &'a [i32] = values?;
        list.is_valid(row).then(|| &values[offsets[row] as usize..offsets[row + 1] as usize])
    }
}

fn backwards(values: &[i32]) -> Option<usize> {
    if values.is_sorted() {
        return None;
    }
    values.windows(2).position(|pair| pair[1] < pair[0])
}

fn offsets(
    list: &ListArray,
    name: &str,
    mask: Option<&ListArray>,
    last: Last,
    hint: &str,
    findings: &mut Findings<'_>,
) {
    let row_values = integers(list);
    for row in 0..list.len() {
        let Some(values) = row_values(row) else {
            continue;
        };
        let (Some(&least), Some(&greatest)) = (values.first(), values.last()) else {
            continue;
        };
        if findings.is_rejected(row) {
            continue;
        }
        if let Some(at) = backwards(values) {
            let (before, after) = (values[at], values[at + 1]);
            let message = format!("runs backwards: element {} is {after}, after {before}", at + 1);
            findings.reject(row, name, message, hint);
            continue;
        }
        if least < 0 {
            findings.reject(row, name, format!("negative offset {least}"), hint);
            continue;
        }
        let Some(mask) = mask.filter(|mask| mask.is_valid(row)) else {
            continue;
        };
        let tokens = mask.value_length(row);
        let message = match last {
            Last::Equals if greatest != tokens => {
                format!("the last step ends at {greatest}, but the rollout has {tokens} tokens")
            }
            Last::Within if greatest > tokens => {
                format!("offset {greatest} lies beyond the {tokens} tokens of the rollout")
            }
            _ => continue,
        };
        findings.reject(row, name, message, hint);
    }
}

fn starts_before_ends(starts: &ListArray, ends: &ListArray, name: &str, findings: &mut Findings<'_>) {
    let (row_starts, row_ends) = (integers(starts), integers(ends));
    for row in 0..starts.len() {
        let (Some(starts), Some(ends)) = (row_starts(row), row_ends(row)) else {
            continue;
        };
        let reversed = starts.iter().zip(ends).position(|(start, end)| start > end);
        if let Some(at) = reversed {
            let message = format!("span {at} starts at {} and ends at {}", starts[at], ends[at]);
            findings.reject(row, name, message, STARTS);
        }
    }
}

fn turns(list: &ListArray, findings: &mut Findings<'_>) {
    const HINT: &str = "number the turns of a rollout 0, 1, 2, ... in the order of its steps";
    let row_values = integers(list);
    for row in 0..list.len() {
        let Some(values) = row_values(row) else {
            continue;
        };
        if let Some(at) = backwards(values) {
            let (before, after) = (values[at], values[at + 1]);
            let message = format!("runs backwards: step {} is in turn {after}, after turn {before}", at + 1);
            findings.reject(row, "step_turns", message, HINT);
        } else if let Some(&first) = values.first()
            && first < 0
        {
            findings.reject(row, "step_turns", format!("negative turn {first}"), HINT);
        }
    }
}

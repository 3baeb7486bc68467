//! Checks that the lists of a level have one element per element of the level.

use std::collections::BTreeMap;

use arrow::array::{Array, ListArray, RecordBatch, cast::AsArray};

use super::validate::Findings;
use super::{Role, role};

/// Rejects rows whose `token_mask` is null or has a null element.
pub(super) fn mask(batch: &RecordBatch, findings: &mut Findings<'_>) {
    let Some(mask) = batch.column_by_name("token_mask").and_then(|c| c.as_list_opt::<i32>()) else {
        return;
    };
    if mask.null_count() > 0 {
        for row in (0..mask.len()).filter(|&row| mask.is_null(row)) {
            findings.reject(
                row,
                "token_mask",
                "null",
                "write one boolean per token: true where the policy produced it",
            );
        }
    }
    without_null_elements(mask, "token_mask", findings);
}

/// Rejects rows in which the list has a null element, for columns that describe structure.
pub(super) fn without_null_elements(list: &ListArray, column: &str, findings: &mut Findings<'_>) {
    let Some(nulls) = list.values().nulls().filter(|nulls| nulls.null_count() > 0) else {
        return;
    };
    let offsets = list.value_offsets();
    for row in (0..list.len()).filter(|&row| list.is_valid(row)) {
        let mut elements = offsets[row] as usize..offsets[row + 1] as usize;
        let first = elements.start;
        if let Some(element) = elements.find(|&element| nulls.is_null(element)) {
            findings.reject(
                row,
                column,
                format!("element {} is null", element - first),
                "every element needs a value here; where nothing is known, leave the whole column out",
            );
        }
    }
}

/// One list column and the level that it belongs to.
struct LevelList<'a> {
    name: &'a str,
    level: &'a str,
    inner: Option<&'a str>,
    list: &'a ListArray,
}

impl LevelList<'_> {
    fn length(&self, row: usize) -> Option<i32> {
        let offsets = self.list.value_offsets();
        self.list.is_valid(row).then(|| offsets[row + 1] - offsets[row])
    }

    /// Columns that define a level come first, so that the others are compared with them.
    fn precedence(&self) -> usize {
        match self.name {
            "token_mask" => 0,
            name if name.ends_with("_ends") => 1,
            "step_kinds" | "token_ids" => 2,
            _ => 3,
        }
    }
}

/// Rejects rows in which two lists of a level differ in length.
pub(super) fn lengths(batch: &RecordBatch, findings: &mut Findings<'_>) {
    let schema = batch.schema_ref();
    let mut lists: Vec<LevelList<'_>> = Vec::new();
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        let role = role(field.name(), field.data_type());
        if let (Some(level), Some(list)) = (role.level(), column.as_list_opt::<i32>()) {
            let inner = match role {
                Role::Pair { inner, .. } => Some(inner),
                _ => None,
            };
            lists.push(LevelList { name: field.name(), level, inner, list });
        }
    }
    lists.sort_by_key(LevelList::precedence);
    let mut levels: BTreeMap<&str, Vec<&LevelList<'_>>> = BTreeMap::new();
    let mut pairs: BTreeMap<(&str, &str), Vec<&LevelList<'_>>> = BTreeMap::new();
    for list in &lists {
        levels.entry(list.level).or_default().push(list);
        if let Some(inner) = list.inner {
            pairs.entry((list.level, inner)).or_default().push(list);
        }
    }
    for lists in levels.values() {
        agree(lists, batch.num_rows(), findings);
    }
    for lists in pairs.values() {
        inner_lists_agree(lists, findings);
    }
    steps_have_ends(&levels, findings);
}

/// Compares each list with the lengths that the lists before it gave.
fn agree(lists: &[&LevelList<'_>], rows: usize, findings: &mut Findings<'_>) {
    const UNKNOWN: i32 = -1;
    if lists.len() < 2 {
        return;
    }
    let mut known = vec![UNKNOWN; rows];
    for (index, list) in lists.iter().enumerate() {
        let offsets = list.list.value_offsets();
        for (row, known) in known.iter_mut().enumerate() {
            let length = offsets[row + 1] - offsets[row];
            if length == *known || list.list.is_null(row) {
                continue;
            }
            if *known == UNKNOWN {
                *known = length;
                continue;
            }
            let other = lists[..index].iter().find(|other| other.list.is_valid(row));
            let other = other.map_or("another column", |other| other.name);
            findings.reject(
                row,
                list.name,
                format!("{length} elements, but `{other}` has {known}"),
                "all lists of a level (the part of the name before the first `_`) need one element per \
                 element of the level; write null for what is not known, or rename the column",
            );
        }
    }
}

fn inner_lists_agree(lists: &[&LevelList<'_>], findings: &mut Findings<'_>) {
    let Some((reference, others)) = lists.split_first() else {
        return;
    };
    let inner = |list: &LevelList<'_>, row: usize, element: usize| {
        let inner: &ListArray = list.list.values().as_list_opt()?;
        let element = list.list.value_offsets()[row] as usize + element;
        inner.is_valid(element).then(|| inner.value_length(element))
    };
    for list in others {
        for row in 0..list.list.len() {
            if findings.is_rejected(row) {
                continue;
            }
            let (Some(length), Some(_)) = (list.length(row), reference.length(row)) else {
                continue;
            };
            let differing = (0..length as usize).find_map(|element| {
                let found = inner(list, row, element)?;
                let wanted = inner(reference, row, element)?;
                (found != wanted).then_some((element, found, wanted))
            });
            if let Some((element, found, wanted)) = differing {
                let message = format!(
                    "element {element} holds {found} values, but in `{}` it holds {wanted}",
                    reference.name
                );
                findings.reject(
                    row,
                    list.name,
                    message,
                    "inner lists of the same two levels need the same lengths",
                );
            }
        }
    }
}

/// Where `step_ends` is read, a rollout with steps has it.
fn steps_have_ends(levels: &BTreeMap<&str, Vec<&LevelList<'_>>>, findings: &mut Findings<'_>) {
    let Some(steps) = levels.get("step") else {
        return;
    };
    let Some(ends) = steps.iter().find(|list| list.name == "step_ends") else {
        return;
    };
    if ends.list.null_count() == 0 {
        return;
    }
    for row in (0..ends.list.len()).filter(|&row| ends.list.is_null(row)) {
        if let Some(list) = steps.iter().find(|list| list.length(row).unwrap_or(0) > 0) {
            findings.reject(
                row,
                "step_ends",
                format!("null, but `{}` has {} steps", list.name, list.length(row).unwrap_or(0)),
                "write the exclusive token offset at which each step ends",
            );
        }
    }
}

//! Finds rollouts that stand in the data twice.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use arrow::array::{Array, Int64Array, RecordBatch, StringArray, cast::AsArray};
use arrow::datatypes::Int64Type;

use super::validate::{Findings, Rejection};

const HINT: &str = "give each rollout of an iteration an id of its own, or remove the repetition";

/// Rejects repeated `rollout_id`s of one iteration inside the batch; the first one stays.
pub(super) fn within_batch(batch: &RecordBatch, findings: &mut Findings<'_>) {
    let Some((iterations, rollouts)) = keys(batch) else {
        return;
    };
    let mut seen: HashSet<(i64, &str)> = HashSet::with_capacity(batch.num_rows());
    for row in 0..batch.num_rows() {
        if rollouts.is_null(row) {
            continue;
        }
        if !seen.insert((iteration(iterations, row), rollouts.value(row))) {
            findings.reject(row, "rollout_id", "the id is repeated in its iteration", HINT);
        }
    }
}

/// Finds rollouts of one group that are repeated across batches.
///
/// Rows of a group lie together, so it remembers the group that it is in and no more: eight bytes per
/// rollout of the group. In data that is not clustered it finds only what stands together.
#[derive(Debug, Default)]
pub struct DuplicateCheck {
    group: Option<(i64, String)>,
    seen: HashSet<u64>,
}

impl DuplicateCheck {
    /// A check that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The rows of the next batch whose `rollout_id` stood in the same group before.
    /// `first_row` is the number of the batch's first row in `file`.
    pub fn check(&mut self, batch: &RecordBatch, file: &str, first_row: u64) -> Vec<Rejection> {
        let mut findings = Findings::new(batch, file, first_row);
        let groups: Option<&StringArray> =
            batch.column_by_name("group_id").and_then(|column| column.as_string_opt());
        let (Some((iterations, rollouts)), Some(groups)) = (keys(batch), groups) else {
            return Vec::new();
        };
        for row in 0..batch.num_rows() {
            if rollouts.is_null(row) || groups.is_null(row) {
                continue;
            }
            let (iteration, group) = (iteration(iterations, row), groups.value(row));
            let same = matches!(&self.group, Some((i, g)) if *i == iteration && g == group);
            if !same {
                self.group = Some((iteration, group.to_owned()));
                self.seen.clear();
            }
            let mut hasher = DefaultHasher::new();
            rollouts.value(row).hash(&mut hasher);
            if !self.seen.insert(hasher.finish()) {
                let message = format!("the id is repeated in group {group}");
                findings.reject(row, "rollout_id", message, HINT);
            }
        }
        findings.rejections()
    }
}

fn keys(batch: &RecordBatch) -> Option<(Option<&Int64Array>, &StringArray)> {
    let rollouts = batch.column_by_name("rollout_id")?.as_string_opt()?;
    let iterations =
        batch.column_by_name("iteration").and_then(|column| column.as_primitive_opt::<Int64Type>());
    Some((iterations, rollouts))
}

fn iteration(iterations: Option<&Int64Array>, row: usize) -> i64 {
    match iterations {
        Some(iterations) if iterations.is_valid(row) => iterations.value(row),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::ArrayRef;
    use std::sync::Arc;

    fn batch(groups: &[&str], rollouts: &[&str]) -> RecordBatch {
        let text = |values: &[&str]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
        RecordBatch::try_from_iter([("group_id", text(groups)), ("rollout_id", text(rollouts))]).unwrap()
    }

    #[test]
    fn a_group_may_span_batches() {
        let mut check = DuplicateCheck::new();
        assert!(check.check(&batch(&["g", "h"], &["a", "a"]), "f", 0).is_empty());
        let bad = check.check(&batch(&["h", "h", "i"], &["b", "a", "a"]), "f", 2);
        assert_eq!(bad.len(), 1);
        assert_eq!(bad[0].row, 3);
        let message = bad[0].error.to_string();
        assert!(message.contains("rollout a") && message.contains("group h"), "{message}");
    }
}

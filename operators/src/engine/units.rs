//! Cuts the batches of a slice into units: whole groups, a few megabytes at a time.

use std::collections::{HashMap, VecDeque};

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;

use super::keys::Keys;
use super::sizes::bytes_of_rows;
use crate::{Error, Place, Result};

/// Most bytes of a unit, unless a single group is larger.
pub const UNIT_BYTES: usize = 8 << 20;
/// Units below this size wait for more rows.
const FEW_BYTES: usize = 64 << 10;

/// The units of one slice.
///
/// A unit never splits a group. Where a batch holds enough whole groups, units are slices of it;
/// only what straddles two batches is copied. Apart from that, at most the rows of one group and
/// one batch are held.
pub(super) struct Units {
    source: String,
    slice: u64,
    /// Rows not yet in a unit. All but the last group are whole.
    held: Vec<RecordBatch>,
    held_bytes: usize,
    /// The group of the last row.
    open: Option<(i64, String)>,
    /// Row of the slice at which a group begins, by iteration and group.
    begun: HashMap<i64, HashMap<String, u64>>,
    rows: u64,
    ready: VecDeque<RecordBatch>,
}

impl Units {
    pub(super) fn new(source: &str, slice: u64) -> Self {
        Units {
            source: source.to_owned(),
            slice,
            held: Vec::new(),
            held_bytes: 0,
            open: None,
            begun: HashMap::new(),
            rows: 0,
            ready: VecDeque::new(),
        }
    }

    /// The next unit, if one is whole.
    pub(super) fn pop(&mut self) -> Option<RecordBatch> {
        self.ready.pop_front()
    }

    /// Adds the next rows of the slice.
    pub(super) fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let (cuts, continues) = self.boundaries(batch)?;
        let bytes = |from: usize, to: usize| bytes_of_rows(batch, from, to - from);
        let mut from = 0;
        if !self.held.is_empty() {
            let held = self.held_bytes;
            let closing = if !continues && held >= FEW_BYTES {
                Some(0)
            } else {
                let enough = cuts.partition_point(|cut| held + bytes(0, *cut) < FEW_BYTES);
                cuts.get(enough).copied()
            };
            let Some(cut) = closing else {
                self.hold(batch.clone());
                return Ok(());
            };
            if cut > 0 {
                self.hold(batch.slice(0, cut));
            }
            self.emit_held()?;
            from = cut;
        }
        let last = cuts.last().copied().unwrap_or(0);
        while from < last {
            let begin = cuts.partition_point(|cut| *cut <= from);
            let fitting = cuts[begin..].partition_point(|cut| bytes(from, *cut) <= UNIT_BYTES);
            let cut = cuts[begin + fitting.saturating_sub(1)];
            if cut == last && bytes(from, cut) < FEW_BYTES {
                break;
            }
            self.ready.push_back(batch.slice(from, cut - from));
            from = cut;
        }
        self.hold(batch.slice(from, batch.num_rows() - from));
        Ok(())
    }

    /// Ends the slice: what is held is whole.
    pub(super) fn finish(&mut self) -> Result<()> {
        if !self.held.is_empty() {
            self.emit_held()?;
        }
        Ok(())
    }

    fn hold(&mut self, rows: RecordBatch) {
        self.held_bytes += bytes_of_rows(&rows, 0, rows.num_rows());
        self.held.push(rows);
    }

    fn emit_held(&mut self) -> Result<()> {
        let unit = match self.held.as_slice() {
            [only] => only.clone(),
            several => concat_batches(&several[0].schema(), several)?,
        };
        self.ready.push_back(unit);
        self.held.clear();
        self.held_bytes = 0;
        Ok(())
    }

    /// Rows of the batch at which a new group begins (0 left out), and whether its first row
    /// belongs to the group that is open.
    fn boundaries(&mut self, batch: &RecordBatch) -> Result<(Vec<usize>, bool)> {
        let keys = Keys::of(batch).map_err(|error| error.in_file(&self.source))?;
        let runs = keys.runs()?;
        let open = self.open.as_ref().map(|(at, group)| (*at, group.as_str()));
        let continues = open == Some(keys.at(0));
        for run in &runs {
            if run.start == 0 && continues {
                continue;
            }
            let (iteration, group) = keys.at(run.start);
            let row = self.rows + run.start as u64;
            let begun = self.begun.entry(iteration).or_default();
            if let Some(first) = begun.get(group).copied() {
                return Err(self.reappears(iteration, group, first, row));
            }
            begun.insert(group.to_owned(), row);
        }
        let (iteration, group) = keys.at(batch.num_rows() - 1);
        self.open = Some((iteration, group.to_owned()));
        self.rows += batch.num_rows() as u64;
        Ok((runs.iter().map(|run| run.start).filter(|row| *row > 0).collect(), continues))
    }

    fn reappears(&self, iteration: i64, group: &str, first: u64, again: u64) -> Error {
        Error::data(
            Place::file(&self.source).column("group_id"),
            format!(
                "group `{group}` of iteration {iteration} begins at row {first} of slice {} and \
                 again at row {again}, with other groups between",
                self.slice
            ),
            "the rows of a group must lie together: sort the data by iteration and group_id first",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use proptest::prelude::*;
    use std::sync::Arc;

    fn rows(groups: &[(i64, usize)], text: usize) -> RecordBatch {
        let ids = groups.iter().flat_map(|(group, size)| vec![*group; *size]);
        let ids: Vec<i64> = ids.collect();
        let names = ids.iter().map(|id| format!("g{id}"));
        let columns: [(&str, ArrayRef); 4] = [
            ("iteration", Arc::new(Int64Array::from(vec![0; ids.len()]))),
            ("group_id", Arc::new(StringArray::from_iter_values(names))),
            ("row", Arc::new(Int64Array::from_iter_values(0..ids.len() as i64))),
            ("text", Arc::new(StringArray::from(vec!["x".repeat(text); ids.len()]))),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    fn units(all: &RecordBatch, batch: usize) -> Vec<RecordBatch> {
        let mut units = Units::new("toy", 0);
        let mut out = Vec::new();
        for from in (0..all.num_rows()).step_by(batch) {
            let length = batch.min(all.num_rows() - from);
            units.push(&all.slice(from, length)).unwrap();
            out.extend(std::iter::from_fn(|| units.pop()));
        }
        units.finish().unwrap();
        out.extend(std::iter::from_fn(|| units.pop()));
        out
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn units_are_whole_groups_and_lose_nothing(
            sizes in prop::collection::vec(1usize..9, 1..60),
            batch in 1usize..40,
            text in prop::sample::select(vec![10usize, 40_000, 300_000]),
        ) {
            let groups: Vec<_> = sizes.iter().enumerate().map(|(id, size)| (id as i64, *size)).collect();
            let all = rows(&groups, text);
            let units = units(&all, batch);
            let joined = concat_batches(&all.schema(), &units).unwrap();
            prop_assert_eq!(&joined, &all);
            let mut seen = std::collections::HashSet::new();
            for unit in &units {
                prop_assert!(unit.num_rows() > 0);
                let keys = Keys::of(unit).unwrap();
                for run in keys.runs().unwrap() {
                    prop_assert!(seen.insert(keys.at(run.start).1.to_owned()));
                }
                let many = keys.runs().unwrap().len() > 1;
                let bytes = bytes_of_rows(unit, 0, unit.num_rows());
                prop_assert!(!many || bytes < UNIT_BYTES + 9 * 300_100 + FEW_BYTES, "{}", bytes);
            }
        }
    }

    #[test]
    fn few_rows_make_one_unit_and_many_make_several() {
        let groups: Vec<_> = (0..100).map(|id| (id, 4)).collect();
        assert_eq!(units(&rows(&groups, 10), 1).len(), 1);
        let large = units(&rows(&groups, 100_000), 400);
        assert!((5..=6).contains(&large.len()), "{}", large.len());
    }

    #[test]
    fn whole_groups_of_a_batch_are_not_copied() {
        let all = rows(&[(0, 30), (1, 30), (2, 30)], 200_000);
        let units = units(&all, 90);
        let text = |batch: &RecordBatch| batch.column(3).to_data().buffers()[1].as_ptr();
        assert!(units.len() > 1);
        assert!(units.iter().all(|unit| text(unit) == text(&all)));
    }

    #[test]
    fn a_group_that_reappears_names_both_rows() {
        let mut units = Units::new("toy", 3);
        units.push(&rows(&[(0, 2), (1, 3)], 10)).unwrap();
        units.push(&rows(&[(1, 1)], 10)).unwrap();
        let error = units.push(&rows(&[(2, 1), (0, 2)], 10)).unwrap_err();
        let message = error.to_string();
        assert!(message.contains("`g0`"), "{message}");
        assert!(message.contains("row 0 of slice 3 and again at row 7"), "{message}");
    }
}

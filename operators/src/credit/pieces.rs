//! Cuts a unit into smaller ones of whole groups, so that what is computed fits the caches.

use super::level::TOKEN;
use super::unit::Unit;
use crate::Result;

impl Unit {
    /// Units of whole groups, in order, that together are this one: of `tokens` tokens or fewer,
    /// where no single group has more. Nothing is copied.
    ///
    /// # Errors
    /// The unit has no `token_mask`.
    pub fn pieces(self, tokens: usize) -> Result<Vec<Unit>> {
        let extent = self.extent(&TOKEN)?;
        if extent.len() <= tokens {
            return Ok(vec![self]);
        }
        let groups = self.groups();
        let mut pieces = Vec::new();
        let mut first = 0;
        for group in 1..groups.len() {
            let last = group + 1 == groups.len();
            if last || extent.rows[groups[group + 1]] - extent.rows[groups[first]] > tokens {
                pieces.push(self.piece(first, group));
                first = group;
            }
        }
        Ok(pieces)
    }

    /// The groups `first..past`.
    fn piece(&self, first: usize, past: usize) -> Unit {
        let (begin, end) = (self.groups()[first], self.groups()[past]);
        let groups = self.groups()[first..=past].iter().map(|row| row - begin).collect();
        let group_of = self.group_of()[begin..end].iter().map(|group| group - first).collect();
        Unit::of_groups(self.batch().slice(begin, end - begin), groups, group_of)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, BooleanArray, Int64Array, ListArray, RecordBatch, StringArray};
    use arrow::buffer::OffsetBuffer;
    use arrow::compute::concat_batches;
    use arrow::datatypes::{DataType, Field};

    use super::*;

    fn unit(lengths: &[usize]) -> Unit {
        let rows = lengths.len();
        let field = Arc::new(Field::new("element", DataType::Boolean, true));
        let mask = BooleanArray::from(vec![true; lengths.iter().sum()]);
        let mask =
            ListArray::new(field, OffsetBuffer::from_lengths(lengths.iter().copied()), Arc::new(mask), None);
        let columns: [(&str, ArrayRef); 4] = [
            ("iteration", Arc::new(Int64Array::from(vec![0; rows]))),
            (
                "group_id",
                Arc::new(StringArray::from_iter_values((0..rows).map(|row| format!("{:03}", row / 3)))),
            ),
            ("rollout_id", Arc::new(StringArray::from_iter_values((0..rows).map(|row| format!("{row:03}"))))),
            ("token_mask", Arc::new(mask)),
        ];
        Unit::new(RecordBatch::try_from_iter(columns).unwrap()).unwrap()
    }

    #[test]
    fn pieces_are_whole_groups_and_lose_nothing() {
        for lengths in [vec![], vec![0; 7], vec![5; 9], vec![100, 0, 1, 2, 3, 4, 5, 6, 0, 0, 0, 0, 90]] {
            let whole = unit(&lengths).batch().clone();
            for tokens in [0, 1, 15, 16, 100, 1000] {
                let pieces = unit(&lengths).pieces(tokens).unwrap();
                let batches: Vec<RecordBatch> = pieces.iter().map(|piece| piece.batch().clone()).collect();
                assert_eq!(concat_batches(&whole.schema(), &batches).unwrap(), whole);
                for piece in &pieces {
                    let again = Unit::new(piece.batch().clone()).unwrap();
                    assert_eq!((piece.groups(), piece.group_of()), (again.groups(), again.group_of()));
                    let fits = piece.extent(&TOKEN).unwrap().len() <= tokens;
                    assert!(fits || piece.groups().len() == 2, "{lengths:?} by {tokens}");
                }
                let ids: Vec<&str> = pieces
                    .iter()
                    .flat_map(|piece| piece.groups().iter().rev().skip(1).map(|&row| piece.group_id(row)))
                    .collect();
                assert!(ids.windows(2).all(|pair| pair[0] != pair[1]));
            }
        }
    }
}

//! Which rows a set of token sequences needs when every common prefix is computed once.

use super::blocks::{Blocks, Span, Table};
use super::network::Row;

/// Distinct sequences with their keys and values laid out, and the rows that are still to be computed.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// One table per distinct sequence, in lexicographic order.
    pub(super) tables: Vec<Table>,
    /// Rows to compute; each comes after all that precede it in its sequence.
    pub(super) rows: Vec<Row>,
    /// Per distinct sequence, the row of each position; `None` for what an earlier call computed.
    pub(super) row_of: Vec<Vec<Option<usize>>>,
    /// Per given sequence, its distinct one.
    pub(super) distinct: Vec<usize>,
}

impl Plan {
    /// Lays out sequences; `known` gives spans of an earlier call that hold a prefix.
    pub(super) fn new(
        sequences: &[&[i32]],
        blocks: &mut Blocks,
        mut known: impl FnMut(&[i32], &mut Blocks) -> Vec<Span>,
    ) -> Self {
        let mut order: Vec<usize> = (0..sequences.len()).collect();
        order.sort_by_key(|index| (sequences[*index], *index));
        let mut plan = Plan { distinct: vec![0; sequences.len()], ..Plan::default() };
        let mut previous: &[i32] = &[];
        for index in order {
            let tokens = sequences[index];
            let common = previous.iter().zip(tokens).take_while(|(a, b)| a == b).count();
            if common == tokens.len() && !plan.tables.is_empty() {
                // In this order a sequence that the previous one begins with is the previous one.
                plan.distinct[index] = plan.tables.len() - 1;
                continue;
            }
            let number = plan.tables.len();
            let spans = known(tokens, blocks);
            let found: usize = spans.iter().map(|span| span.tokens).sum();
            let (mut table, mut row_of) = match plan.tables.last().zip(plan.row_of.last()) {
                Some((last, rows)) if common >= found => {
                    (Table::after(last.prefix(common)), rows[..common].to_vec())
                }
                _ => (Table::after(spans), vec![None; found]),
            };
            for (position, token) in tokens.iter().enumerate().skip(table.len()) {
                let (block, slot) = table.push(blocks);
                row_of.push(Some(plan.rows.len()));
                plan.rows.push(Row { token: *token, position, table: number, block, slot });
            }
            plan.tables.push(table);
            plan.row_of.push(row_of);
            plan.distinct[index] = number;
            previous = tokens;
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::super::blocks::BlockShape;
    use super::*;
    use crate::model::config::ModelConfig;

    #[test]
    fn every_prefix_is_one_row() {
        let config = ModelConfig::named("16x1x2x32", 11).unwrap();
        let mut blocks = Blocks::new(BlockShape::new(&config), Vec::new());
        let long: Vec<i32> = (0..40).map(|i| i % 7).collect();
        let mut other = long.clone();
        other[20] = 9;
        let sequences: [&[i32]; 6] = [&long, &[3], &other, &long, &long[..5], &[3, 1]];
        let plan = Plan::new(&sequences, &mut blocks, |_, _| Vec::new());
        assert_eq!(plan.rows.len(), 40 + 20 + 2);
        assert_eq!(plan.distinct[0], plan.distinct[3]);
        for (sequence, distinct) in sequences.iter().zip(&plan.distinct) {
            assert_eq!(plan.tables[*distinct].len(), sequence.len());
            let tokens: Vec<i32> =
                plan.row_of[*distinct].iter().map(|row| plan.rows[row.unwrap()].token).collect();
            assert_eq!(&tokens, sequence);
            let spans = plan.tables[*distinct].spans();
            assert_eq!(spans.iter().map(|span| span.tokens).sum::<usize>(), sequence.len());
            for (position, row) in plan.row_of[*distinct].iter().enumerate() {
                let row = plan.rows[row.unwrap()];
                let mut left = position;
                let span = spans.iter().find(|span| {
                    let inside = left < span.tokens;
                    left -= if inside { 0 } else { span.tokens };
                    inside
                });
                assert_eq!((span.unwrap().block, left), (row.block, row.slot));
            }
        }
    }
}

//! Stored rollouts of a live run get the same advantages again, bit for bit.

use meed_operators::columns::Table;
use meed_pipelines::find;

use crate::runs::{Setting, whole};

#[test]
fn live_and_stored_advantages_are_the_same_bits() {
    for recipe in ["grpo", "rloo", "tempo", "reinforce_pp"] {
        let (stored, _) = whole(&Setting { recipe, workers: 2, staleness: 1, ..Setting::default() });
        let again = find(recipe).unwrap().in_memory(&[], stored.rows(Table::Rollouts)).unwrap();
        let again = again.rows.expect("advantages");
        let live = stored.rows(Table::Advantages);
        assert_eq!(live.num_rows(), again.num_rows());
        for (index, field) in again.schema().fields().iter().enumerate() {
            assert_eq!(
                format!("{:?}", live.column(index)),
                format!("{:?}", again.column(index)),
                "{recipe} {}",
                field.name()
            );
        }
    }
}

//! What a run did, per recipe: counts that tell whether there was anything to learn.

use std::collections::BTreeMap;

use arrow::array::{AsArray, RecordBatch};
use meed_operators::credit::Unit;
use meed_operators::engine::table_of;
use serde::{Deserialize, Serialize};

/// Counts of one recipe over the whole run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Rollouts that got a row.
    pub rollouts: u64,
    /// Rollouts that are to be trained on.
    pub in_loss: u64,
    /// Groups.
    pub groups: u64,
    /// Groups of one rollout.
    pub singletons: u64,
    /// Groups of several rollouts in which no trainable token has an advantage other than 0.
    pub without_signal: u64,
    /// Rollouts that are in neither baseline nor loss, or in one of them only, by reason.
    pub reasons: BTreeMap<String, u64>,
    /// Rows of other tables, such as the nodes of trees, by the table's name.
    pub beside: BTreeMap<String, u64>,
}

impl Summary {
    /// Adds one unit: its rows of the advantages table, and why rollouts were left out.
    pub fn add(&mut self, unit: &Unit, rows: &RecordBatch, reasons: &[Option<String>]) {
        let lists = rows.column_by_name("token_advantages").map(|column| column.as_list::<i32>());
        let in_loss = rows.column_by_name("in_loss").map(|column| column.as_boolean());
        let (Some(lists), Some(in_loss)) = (lists, in_loss) else {
            return;
        };
        let values = lists.values().as_primitive::<arrow::datatypes::Float32Type>();
        let offsets = lists.value_offsets();
        for group in unit.groups().windows(2) {
            self.groups += 1;
            let tokens = offsets[group[0]] as usize..offsets[group[1]] as usize;
            if group[1] - group[0] == 1 {
                self.singletons += 1;
            } else if values.values()[tokens].iter().all(|&x| x == 0.0) {
                self.without_signal += 1;
            }
        }
        self.rollouts += unit.rows() as u64;
        self.in_loss += in_loss.true_count() as u64;
        for reason in reasons.iter().flatten() {
            *self.reasons.entry(reason.clone()).or_default() += 1;
        }
    }

    /// Adds rows of another table, which they are marked with.
    pub fn add_beside(&mut self, rows: &RecordBatch) {
        if let Some(table) = table_of(rows) {
            *self.beside.entry(table.name().to_owned()).or_default() += rows.num_rows() as u64;
        }
    }

    /// Adds the counts of another worker.
    pub fn merge(&mut self, other: Summary) {
        self.rollouts += other.rollouts;
        self.in_loss += other.in_loss;
        self.groups += other.groups;
        self.singletons += other.singletons;
        self.without_signal += other.without_signal;
        for (reason, count) in other.reasons {
            *self.reasons.entry(reason).or_default() += count;
        }
        for (table, count) in other.beside {
            *self.beside.entry(table).or_default() += count;
        }
    }

    /// A warning where the recipe cannot produce signal on this data, with the counts.
    pub fn warning(&self, recipe: &str) -> Option<String> {
        if self.groups == 0 || self.singletons + self.without_signal < self.groups {
            return None;
        }
        let why = if self.singletons == self.groups {
            "every group has one rollout".to_owned()
        } else {
            format!(
                "{} groups have one rollout and {} have equal results",
                self.singletons, self.without_signal
            )
        };
        Some(format!(
            "{recipe}: all {} groups are without signal ({why}); training on them changes nothing",
            self.groups
        ))
    }
}

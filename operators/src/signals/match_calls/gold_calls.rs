//! Gold calls out of the metadata of imported rollouts.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema};
use serde_json::Value;

use super::super::texts::text_column;
use super::{AddSignals, GOLD_CALLS};
use crate::credit::Unit;
use crate::{Error, Result};

/// Adds `gold_calls`, the list `gold_actions` of a rollout's `metadata`, as the importer of tau-bench writes
/// it; null where there is none. Left out where the data has `gold_calls`.
#[derive(Debug, Clone, Copy)]
pub struct GoldCalls;

const METADATA: &str = "metadata";

impl AddSignals for GoldCalls {
    fn name(&self) -> &str {
        GOLD_CALLS
    }

    fn reads(&self) -> Vec<String> {
        vec![METADATA.to_owned()]
    }

    fn adds(&self) -> Vec<Field> {
        vec![Field::new(GOLD_CALLS, DataType::Utf8, true)]
    }

    fn given(&self, schema: &Schema) -> bool {
        super::super::is_given(self, schema)
    }

    fn apply(&self, unit: &Unit) -> Result<Vec<ArrayRef>> {
        let metadata = text_column(unit, self.name(), METADATA)?;
        let mut gold = StringBuilder::new();
        for row in 0..unit.rows() {
            let of_row = metadata.is_valid(row).then(|| serde_json::from_str::<Value>(metadata.value(row)));
            let of_row = of_row.transpose().map_err(|_| {
                Error::data(
                    unit.place(row, METADATA),
                    "is not JSON",
                    "write an object with gold_actions, or null",
                )
            })?;
            let actions = of_row.as_ref().and_then(|metadata| metadata.get("gold_actions"));
            gold.append_option(actions.map(Value::to_string));
        }
        Ok(vec![Arc::new(gold.finish())])
    }
}

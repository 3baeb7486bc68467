//! JSON Lines with meed's columns.

use meed_operators::Result;

use super::imported::Imported;
use super::{ImportOptions, Importer, stored};
use crate::store::{Format, Location};

/// Reads JSON Lines whose keys are columns of `rollouts`, or signals by the naming rule; only
/// `group_id` and `rollout_id` have to be there. The file is read twice, a line at a time: for the
/// types of its columns and for its rows. Text without token ids is tokenised: `step_texts` step by
/// step, else `response`. Rows stay in their order; groups are put together by whoever stores them.
pub struct JsonLines;

impl Importer for JsonLines {
    fn name(&self) -> &'static str {
        "jsonl"
    }

    fn reads(&self) -> &'static str {
        "JSON Lines whose keys are columns of rollouts"
    }

    fn describe(&self) -> &'static str {
        "Keys are columns, only group_id and rollout_id are needed; step_texts, or else response, \
         become tokens where there are no token_ids; further keys that follow the naming rule are \
         signals."
    }

    fn leaves_out(&self) -> &'static str {
        "nothing; columns without a meaning are kept, and said. A response beside steps without texts is not \
         tokenised."
    }

    fn import(&self, inputs: &[Location], options: &ImportOptions) -> Result<Imported> {
        stored::import(inputs, Format::JsonLines, options)
    }
}

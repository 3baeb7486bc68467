//! Parquet with meed's columns.

use meed_operators::Result;

use super::imported::Imported;
use super::{ImportOptions, Importer, stored};
use crate::store::{Format, Location};

/// Reads Parquet files, or directories of them, whose columns are those of `rollouts`, or signals by
/// the naming rule; only `group_id` and `rollout_id` have to be there. Text without token ids is
/// tokenised: `step_texts` step by step, else `response`. Rows stay in their order; groups are put
/// together by whoever stores them.
pub struct Parquet;

impl Importer for Parquet {
    fn name(&self) -> &'static str {
        "parquet"
    }

    fn reads(&self) -> &'static str {
        "Parquet whose columns are those of rollouts"
    }

    fn describe(&self) -> &'static str {
        "Columns keep their names, only group_id and rollout_id are needed; step_texts, or else \
         response, become tokens where there are no token_ids; further columns that follow the \
         naming rule are signals."
    }

    fn leaves_out(&self) -> &'static str {
        "nothing; columns without a meaning are kept, and said. A response beside steps without texts is not \
         tokenised."
    }

    fn import(&self, inputs: &[Location], options: &ImportOptions) -> Result<Imported> {
        stored::import(inputs, Format::Parquet, options)
    }
}

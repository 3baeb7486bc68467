//! Rollouts to be judged.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Builder, ListBuilder, RecordBatch, StringArray, StringBuilder};
use meed_operators::columns::complete;

/// Rollouts of two to four steps in groups of four, with a response each.
pub fn rollouts(count: usize) -> RecordBatch {
    let groups: StringArray = (0..count).map(|row| Some(format!("g{}", row / 4))).collect();
    let ids: StringArray = (0..count).map(|row| Some(format!("r{row}"))).collect();
    let responses: StringArray = (0..count).map(|row| Some(format!("the answer is {row}"))).collect();
    let mut kinds = ListBuilder::new(StringBuilder::new());
    let mut ends = ListBuilder::new(Int32Builder::new());
    for row in 0..count {
        let steps = 2 + row % 3;
        for step in 0..steps {
            kinds.values().append_value(if step % 2 == 0 { "policy" } else { "observation" });
            ends.values().append_value(2 * step as i32 + 2);
        }
        kinds.append(true);
        ends.append(true);
    }
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("group_id", Arc::new(groups)),
        ("rollout_id", Arc::new(ids)),
        ("response", Arc::new(responses)),
        ("step_kinds", Arc::new(kinds.finish())),
        ("step_ends", Arc::new(ends.finish())),
    ];
    complete(RecordBatch::try_from_iter(columns).unwrap(), "memory").unwrap()
}

/// A runtime as judges need it.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    let result = runtime.block_on(future);
    // Judges that hang on a thread keep it.
    runtime.shutdown_background();
    result
}

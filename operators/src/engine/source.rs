//! Stored rollouts as the engine reads them: slices of whole groups.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::Result;

/// Record batches of one slice, in the order of the source.
pub type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// Rollouts at rest, clustered by (`iteration`, `group_id`) and cut into slices.
///
/// A slice is the engine's epoch. Its bounds depend only on the source, never on workers. A slice
/// owns the groups whose first row lies in its range, so that every group is whole in exactly one
/// slice. A group may be cut over several batches of its slice.
pub trait Source: Send + Sync {
    /// What to call the source in messages and lineage: a file, a URI, `dataset@version`.
    fn uri(&self) -> &str;

    /// Changes when the content changes: file sizes and modification times, or a table version.
    /// A run that resumes refuses a source with another fingerprint.
    fn fingerprint(&self) -> String;

    /// Schema of the rows.
    fn schema(&self) -> SchemaRef;

    /// Number of rows, where it is known without reading them.
    fn rows(&self) -> Option<u64>;

    /// Number of slices.
    fn slices(&self) -> u64;

    /// Number of the first row of a slice in the source, where it is known; for messages.
    fn first_row(&self, _slice: u64) -> Option<u64> {
        None
    }

    /// Reads one slice: the named columns, in that order.
    ///
    /// # Errors
    /// A file that cannot be opened or decoded; the error names it and the row where it can.
    fn read(&self, slice: u64, columns: &[String]) -> Result<Batches>;
}

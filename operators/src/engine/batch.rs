//! Record batches as a timely container, serialised as Arrow IPC where they leave their thread.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::ipc::MetadataVersion;
use arrow::ipc::reader::StreamDecoder;
use arrow::ipc::writer::{IpcWriteOptions, StreamEncoder};
use std::sync::Arc;
use timely::Accountable;
use timely::bytes::arc::Bytes;
use timely::dataflow::channels::ContainerBytes;

/// A record batch that travels through a dataflow.
///
/// Between operators of one thread and between threads the batch moves as it is. Between processes
/// (and between threads under timely's `--zerocopy`) it travels as Arrow IPC: sending copies the
/// bodies once, receiving shares the received bytes and copies nothing.
///
/// A batch without rows never travels: timely drops containers that count no records.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch(pub RecordBatch);

impl Default for Batch {
    fn default() -> Self {
        Batch(RecordBatch::new_empty(Arc::new(Schema::empty())))
    }
}

impl From<RecordBatch> for Batch {
    fn from(rows: RecordBatch) -> Self {
        Batch(rows)
    }
}

impl Accountable for Batch {
    fn record_count(&self) -> i64 {
        self.0.num_rows() as i64
    }
}

/// Bytes received by timely, as an owner that Arrow buffers can share.
struct Slab(Bytes);

impl AsRef<[u8]> for Slab {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Batch {
    /// The batch as IPC messages. Bodies are shared with the arrays, so that measuring a batch
    /// costs its metadata only.
    fn frames(&self) -> Result<Vec<Buffer>, ArrowError> {
        let options = IpcWriteOptions::try_new(8, false, MetadataVersion::V5)?;
        let mut encoder = StreamEncoder::try_new_with_options(&self.0.schema(), options)?;
        encoder.encode(&self.0)
    }

    fn decode(bytes: Bytes) -> Result<RecordBatch, ArrowError> {
        let mut buffer = Buffer::from(bytes::Bytes::from_owner(Slab(bytes)));
        let mut decoder = StreamDecoder::new();
        decoder
            .decode(&mut buffer)?
            .ok_or_else(|| ArrowError::IpcError("a message between workers holds no batch".to_owned()))
    }
}

/// Timely's interface has no place for an error here. The panic becomes a fault that ends the run
/// in every process, see [`Faults`](super::Faults).
#[expect(clippy::panic, reason = "timely's trait returns no error; the panic becomes a fault")]
fn unwrap<T>(result: Result<T, ArrowError>) -> T {
    result.unwrap_or_else(|error| {
        std::panic::panic_any(format!("a batch cannot travel between workers: {error}"))
    })
}

impl ContainerBytes for Batch {
    fn from_bytes(bytes: Bytes) -> Self {
        Batch(unwrap(Batch::decode(bytes)))
    }

    fn length_in_bytes(&self) -> usize {
        padded(unwrap(self.frames()).iter().map(|frame| frame.len()).sum())
    }

    fn into_bytes<W: Write>(&self, writer: &mut W) {
        let mut written = 0;
        for frame in unwrap(self.frames()) {
            unwrap(writer.write_all(&frame).map_err(ArrowError::from));
            written += frame.len();
        }
        let padding = padded(written) - written;
        unwrap(writer.write_all(&[0; 8][..padding]).map_err(ArrowError::from));
    }
}

/// Lengths are multiples of 8, so that buffers stay aligned in the bytes of the receiver.
fn padded(length: usize) -> usize {
    length.next_multiple_of(8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Array, ArrayRef, BooleanArray, Float64Array, Int64Array, ListArray, StringArray};
    use arrow::datatypes::{Float32Type, Int32Type};
    use timely::bytes::arc::BytesMut;

    fn travel(batch: &Batch) -> Batch {
        let mut bytes = Vec::new();
        batch.into_bytes(&mut bytes);
        assert_eq!(bytes.len(), batch.length_in_bytes());
        assert_eq!(bytes.len() % 8, 0);
        Batch::from_bytes(BytesMut::from(bytes).freeze())
    }

    fn batch() -> Batch {
        let lists = ListArray::from_iter_primitive::<Float32Type, _, _>([
            Some(vec![Some(1.0), None]),
            None,
            Some(vec![]),
            Some(vec![Some(3.0), Some(4.0), Some(5.0)]),
        ]);
        let ends = ListArray::from_iter_primitive::<Int32Type, _, _>([
            Some(vec![Some(1), Some(2)]),
            Some(vec![]),
            Some(vec![Some(7)]),
            Some(vec![Some(1), Some(3)]),
        ]);
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("iteration", Arc::new(Int64Array::from(vec![0, 0, 1, 1]))),
            ("group_id", Arc::new(StringArray::from(vec!["a", "ä", "", "long enough"]))),
            ("reward", Arc::new(Float64Array::from(vec![Some(1.0), None, Some(f64::NAN), None]))),
            ("flag", Arc::new(BooleanArray::from(vec![true, false, true, true]))),
            ("token_values", Arc::new(lists)),
            ("step_ends", Arc::new(ends)),
        ];
        Batch(RecordBatch::try_from_iter(columns).unwrap())
    }

    #[test]
    fn a_batch_survives_the_journey() {
        let sent = batch();
        // NaN is not equal to itself, so compare what is printed.
        let print = |batch: &Batch| format!("{:?}", batch.0);
        assert_eq!(print(&travel(&sent)), print(&sent));
        for (offset, length) in [(0, 1), (1, 2), (3, 1), (2, 2)] {
            let part = Batch(sent.0.slice(offset, length));
            assert_eq!(print(&travel(&part)), print(&part), "rows {offset}+{length}");
        }
    }

    #[test]
    fn a_slice_travels_alone() {
        let values: Vec<Option<Vec<Option<f32>>>> =
            (0..1000).map(|row| Some(vec![Some(row as f32); 100])).collect();
        let lists = ListArray::from_iter_primitive::<Float32Type, _, _>(values);
        let all = RecordBatch::try_from_iter([("x", Arc::new(lists) as ArrayRef)]).unwrap();
        let part = Batch(all.slice(500, 1));
        assert!(part.length_in_bytes() < 2_000, "{}", part.length_in_bytes());
        assert_eq!(travel(&part), part);
    }

    #[test]
    fn received_columns_share_the_received_bytes() {
        let mut bytes = Vec::new();
        batch().into_bytes(&mut bytes);
        let range = bytes.as_ptr_range();
        let received = Batch::from_bytes(BytesMut::from(bytes).freeze());
        let iteration = received.0.column(0).to_data().buffers()[0].as_ptr();
        assert!(range.contains(&iteration));
    }

    #[test]
    #[should_panic(expected = "cannot travel")]
    fn torn_bytes_are_a_fault() {
        let mut bytes = Vec::new();
        batch().into_bytes(&mut bytes);
        bytes.truncate(bytes.len() / 2);
        Batch::from_bytes(BytesMut::from(bytes).freeze());
    }
}

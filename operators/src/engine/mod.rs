//! The dataflow engine: stored and live rollouts through the same operators on timely.

mod batch;
mod beside;
mod cluster;
mod commit;
mod control;
mod exchange;
mod faults;
mod gather;
mod groups;
mod keys;
mod live;
mod network;
mod options;
mod read_ahead;
mod scan;
mod session;
mod share;
mod sink;
mod sizes;
mod source;
mod stored;
mod tables;
mod units;
mod write;

pub use batch::Batch;
pub use beside::{Piece, Work, beside};
pub use exchange::{
    ByKey, MESSAGE_BYTES, ToWorker, by_key, hash_group, owner_of_group, to_worker, to_worker_of,
};
pub use faults::{Faults, panic_message};
pub use gather::{MakeObserver, Observer, gather};
pub use groups::{GROUP_SIZE, whole_groups};
pub use keys::KEY_COLUMNS;
pub use live::{LiveReport, LiveRun, Loop, SampleCall};
pub use options::{Progress, Report, RunOptions};
pub use session::{Session, execute};
pub use sink::{Committer, EpochWriter, Receipt, Sink};
pub use sizes::bytes_of_rows;
pub use source::{Batches, Source};
pub use stored::{MakeStage, RunReport, Stage, StoredRun, run_stored};
pub use tables::{Tables, rows_of, table_of};
pub use units::UNIT_BYTES;

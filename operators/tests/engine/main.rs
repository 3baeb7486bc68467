//! The engine as a user sees it: a source, a stage, a sink, on threads and processes.

mod faults;
mod gather;
mod live;
mod stored;
mod toy;

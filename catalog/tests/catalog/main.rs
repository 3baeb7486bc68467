//! Datasets are written once, read back equal, and queried; broken requests fail by name.

mod commit_once;
mod faults;
mod formats;
mod rows;
mod sorting;
mod sql;
mod storing;

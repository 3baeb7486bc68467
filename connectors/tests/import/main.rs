//! The importers on real files, on broken ones, and with a tokenizer.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr, clippy::print_stdout, clippy::unwrap_used)]

mod gsm8k;
mod intercode;
mod stored;
mod support;
mod tau_bench;
mod tokens;
mod toolbench;
mod tot;
mod trees;

use std::collections::BTreeSet;

use meed_connectors::Location;
use meed_connectors::import::{IMPORTERS, importer};

use support::{import, skipping};

#[test]
fn importers_are_listed_once_and_found_by_name() {
    let names: BTreeSet<&str> = IMPORTERS.iter().map(|importer| importer.name()).collect();
    assert_eq!(names.len(), IMPORTERS.len());
    for required in ["gsm8k", "tau-bench", "intercode", "tot", "toolbench", "jsonl", "parquet"] {
        assert_eq!(importer(required).err().map(|error| error.to_string()), None);
    }
    let error = importer("nonsense").err().unwrap();
    assert!(error.hint().contains("tau-bench"), "{}", error.hint());
}

#[test]
fn a_file_that_is_absent_ends_the_import_even_when_rows_are_skipped() {
    let input = Location::parse("/nowhere/a.jsonl").unwrap();
    for name in ["gsm8k", "tau-bench", "intercode", "tot", "toolbench", "jsonl", "parquet"] {
        let error = import(name, std::slice::from_ref(&input), &skipping()).unwrap_err();
        assert!(error.to_string().contains("/nowhere/a.jsonl"), "{error}");
    }
}

//! The program `meed`: reads the command line and runs one command.
#![allow(clippy::print_stderr)]

mod arguments;
mod commands;
mod fail;
mod messages;
mod output;
mod progress;
mod training_log;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use arguments::Arguments;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    trace();
    match commands::run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail::report(&error),
    }
}

/// Writes traces to stderr where `MEED_LOG` says which, as in `MEED_LOG=meed_catalog=debug`.
fn trace() {
    if let Ok(filter) = EnvFilter::try_from_env("MEED_LOG") {
        let traces = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
        traces.with_ansi(std::io::stderr().is_terminal()).init();
    }
}

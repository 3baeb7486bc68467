//! `meed import`: what other programs wrote, as a dataset.

use meed::{Import, Result};

use super::command_line;
use crate::arguments::{Arguments, ImportArguments};
use crate::messages::Messages;

pub fn run(arguments: &Arguments, own: &ImportArguments) -> Result<()> {
    let rejects = own.bad_rows.rejects()?;
    let messages = Messages::new("importing", arguments.quiet);
    let mut import = Import::from(&own.format, own.path.iter().map(String::as_str))?
        .to(&own.to)?
        .catalog(&arguments.catalog)
        .iteration(own.iteration)
        .on_error(own.bad_rows.on_error())
        .new_run(own.new_run)
        .command(&command_line())
        .notes(messages.notes())
        .progress(messages.rows());
    if let Some(path) = rejects {
        import = import.rejects(path);
    }
    if let Some(path) = &own.tokenizer {
        import = import.tokenizer(path)?;
    }
    let report = import.run()?;
    messages.done(&report);
    if let Some(path) = rejects
        && report.rejected > 0
    {
        messages.done(&format!("rejected rows are in {}", path.display()));
    }
    Ok(())
}

//! `meed judge`: rollouts in, scores out.

use std::time::Duration;

use meed::{Judging, Result, model_context};

use super::command_line;
use crate::arguments::{Arguments, JudgeArguments};
use crate::messages::Messages;

pub fn run(arguments: &Arguments, own: &JudgeArguments) -> Result<()> {
    let messages = Messages::new("judging", arguments.quiet);
    let names: Vec<&str> = own.judges.iter().map(|name| name.trim()).collect();
    let mut judging = Judging::from(&own.from)?
        .catalog(&arguments.catalog)
        .judges(&names, &own.set)?
        .to(&own.to)?
        .concurrency(own.concurrency as usize)
        .deadline(Duration::from_secs_f64(own.deadline))
        .workers(own.workers.count())
        .slice_bytes(own.slice_bytes)
        .commit_bytes(own.commit_bytes)
        .timely(own.timely.clone())
        .on_error(own.bad_rows.on_error())
        .new_run(own.new_run)
        .command(&command_line())
        .notes(messages.notes())
        .progress(messages.progress());
    if let Some(model) = &own.model {
        judging = judging.context(model_context(model)?);
    }
    if let Some(path) = own.bad_rows.rejects()? {
        judging = judging.rejects(path);
    }
    messages.done(&judging.run()?);
    Ok(())
}

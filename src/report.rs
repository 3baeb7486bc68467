//! What a run did, in words.

use std::fmt;

use meed_catalog::Sorted;
use meed_connectors::Reject;
use meed_operators::engine::RunReport;
use meed_pipelines::stored::AssignReport;

/// What [`Pipeline::run`](crate::Pipeline::run) did.
#[derive(Debug, Clone)]
pub struct PipelineReport {
    /// Name of the run.
    pub run: String,
    /// Where the rows are.
    pub target: String,
    /// Where the rows of [`AssignReport::beside`] are.
    pub beside: Vec<String>,
    /// True where an earlier run had done everything, so that nothing was written.
    pub done_before: bool,
    /// Rows, commits and counts per recipe.
    pub assigned: AssignReport,
    /// What sorting cost, where the rows of a group did not lie together.
    pub sorted: Option<Sorted>,
    /// Rows and lines that were left out because they break a rule.
    pub rejected: u64,
    /// The first of them.
    pub first_rejected: Vec<Reject>,
}

impl PipelineReport {
    pub(crate) fn done_before(run: String, target: String, sorted: Option<Sorted>) -> Self {
        let nothing = RunReport { rows_in: 0, rows_out: 0, epochs: 0, skipped: 0, commits: 0, seconds: 0.0 };
        PipelineReport {
            run,
            target,
            beside: Vec::new(),
            done_before: true,
            assigned: AssignReport { run: nothing, beside: Vec::new(), recipes: Vec::new() },
            sorted,
            rejected: 0,
            first_rejected: Vec::new(),
        }
    }
}

impl fmt::Display for PipelineReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.done_before {
            return write!(
                f,
                "{} has all rows of run {} already: nothing to do (--new-run appends them again)",
                self.target, self.run
            );
        }
        let run = &self.assigned.run;
        let groups = self.assigned.recipes.first().map_or(0, |(_, summary)| summary.groups);
        let rate = run.rows_in as f64 / run.seconds.max(1e-9);
        write!(
            f,
            "{} rollouts in {} groups, {} rows written to {} in {:.1} s ({rate:.0} rollouts/s), run {}",
            run.rows_in, groups, run.rows_out, self.target, run.seconds, self.run
        )?;
        for ((table, rows), target) in self.assigned.beside.iter().zip(&self.beside) {
            write!(f, "\n{rows} {} written to {target}", table.name())?;
        }
        if run.skipped > 0 {
            write!(
                f,
                "\n{} of {} slices were committed before; counts are of the rest",
                run.skipped,
                run.skipped + run.epochs
            )?;
        }
        for (name, summary) in &self.assigned.recipes {
            write!(f, "\n  {name}: {} of {} rollouts in the loss", summary.in_loss, summary.rollouts)?;
            let reasons: Vec<String> =
                summary.reasons.iter().map(|(reason, count)| format!("{reason} ({count})")).collect();
            if !reasons.is_empty() {
                write!(f, "; left out: {}", reasons.join(", "))?;
            }
        }
        write_rejected(f, self.rejected, &self.first_rejected)
    }
}

/// Rows that are spelled out in a report; the others are counted.
const SPELLED_OUT: usize = 5;

pub(crate) fn write_rejected(f: &mut fmt::Formatter<'_>, count: u64, first: &[Reject]) -> fmt::Result {
    if count == 0 {
        return Ok(());
    }
    write!(f, "\n{count} bad rows skipped")?;
    for reject in first.iter().take(SPELLED_OUT) {
        write!(f, "\n  {}, line {}: {}", reject.file, reject.line, reject.reason)?;
    }
    match count.saturating_sub(first.len().min(SPELLED_OUT) as u64) {
        0 => Ok(()),
        more => write!(f, "\n  and {more} more"),
    }
}

//! What judging did, in words; and commits that only happen where there is something to commit.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use meed_connectors::Reject;
use meed_operators::Result;
use meed_operators::engine::{Committer, EpochWriter, Receipt, Sink};
use meed_operators::judge::Tally;
use meed_pipelines::stored::JudgeReport;

use crate::report::write_rejected;

/// What [`Judging::run`](crate::Judging::run) did.
#[derive(Debug, Clone)]
pub struct JudgingReport {
    /// Name of the run.
    pub run: String,
    /// Where the scores are.
    pub target: String,
    /// Rows, commits and counts per judge.
    pub judged: JudgeReport,
    /// Rows and lines that were left out because they break a rule.
    pub rejected: u64,
    /// The first of them.
    pub first_rejected: Vec<Reject>,
}

impl fmt::Display for JudgingReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let run = &self.judged.run;
        let sum =
            |count: fn(&Tally) -> u64| self.judged.judges.iter().map(|(_, tally)| count(tally)).sum::<u64>();
        let asked = sum(|tally| tally.asked);
        let rate = asked as f64 / run.seconds.max(1e-9);
        write!(
            f,
            "{} rollouts, {asked} judgements asked for, {} known already, {} rows written to {} in {:.1} s ({rate:.0} judgements/s), run {}",
            run.rows_in,
            sum(|tally| tally.skipped),
            run.rows_out,
            self.target,
            run.seconds,
            self.run
        )?;
        for (name, tally) in &self.judged.judges {
            let Tally { asked, skipped, scores, no_opinion, .. } = tally;
            write!(
                f,
                "\n  {name}: {asked} asked, {skipped} known; {scores} scores, {no_opinion} without an opinion"
            )?;
            if tally.failed() > 0 {
                write!(f, ", {} failed", tally.failed())?;
            }
            for (reason, count) in &tally.failures {
                write!(f, "\n    {reason} ({count})")?;
            }
        }
        write_rejected(f, self.rejected, &self.first_rejected)
    }
}

/// A sink that makes no commit without rows: epochs without any are part of the next commit.
pub(super) struct OnlyRows(pub(super) Arc<dyn Sink>);

impl Sink for OnlyRows {
    fn uri(&self) -> &str {
        self.0.uri()
    }

    fn writer(&self, worker: usize) -> Result<Box<dyn EpochWriter>> {
        self.0.writer(worker)
    }

    fn committer(&self) -> Result<Box<dyn Committer>> {
        Ok(Box::new(OnlyRowsCommitter { inner: self.0.committer()?, first: None }))
    }
}

struct OnlyRowsCommitter {
    inner: Box<dyn Committer>,
    /// The first epoch that waits for rows.
    first: Option<u64>,
}

impl Committer for OnlyRowsCommitter {
    fn resume_at(&mut self) -> Result<u64> {
        self.inner.resume_at()
    }

    fn commit(&mut self, epochs: RangeInclusive<u64>, receipts: Vec<Receipt>) -> Result<()> {
        let first = *self.first.get_or_insert(*epochs.start());
        if receipts.is_empty() {
            return Ok(());
        }
        self.first = None;
        self.inner.commit(first..=*epochs.end(), receipts)
    }

    fn finish(&mut self) -> Result<()> {
        self.inner.finish()
    }
}

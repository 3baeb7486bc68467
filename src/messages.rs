//! What a command says to the person who runs it, on stderr.

use std::sync::Arc;

use meed::Notes;
use meed::operators::engine::Report;

use crate::progress::Bar;

/// The voice of one command: a progress bar, lines beside it, and silence where it was asked for.
pub struct Messages {
    quiet: bool,
    doing: &'static str,
    bar: Bar,
}

impl Messages {
    /// Begins with a bar.
    pub fn new(doing: &'static str, quiet: bool) -> Self {
        Messages { quiet, doing, bar: Bar::new(doing, quiet) }
    }

    /// For what a run says on the way.
    pub fn notes(&self) -> Notes {
        let (quiet, bar) = (self.quiet, self.bar.clone());
        Arc::new(move |line| {
            if !quiet {
                bar.line(line);
            }
        })
    }

    /// For the engine's progress.
    pub fn progress(&self) -> Report {
        self.bar.report("gathering batch statistics", self.doing)
    }

    /// For the progress of what does all its work in passes that gather.
    pub fn progress_of_passes(&self) -> Report {
        self.bar.report(self.doing, "judging")
    }

    /// For a count of rows.
    pub fn rows(&self) -> Arc<dyn Fn(u64) + Send + Sync> {
        let bar = self.bar.clone();
        Arc::new(move |rows| bar.add(rows))
    }

    /// For a count of iterations, of which there will be so many.
    pub fn iterations(&self, total: u64) -> Arc<dyn Fn(u64) + Send + Sync> {
        self.bar.count_iterations(total);
        self.rows()
    }

    /// Ends the bar and says what was done.
    pub fn done(&self, report: &dyn std::fmt::Display) {
        self.bar.clear();
        if !self.quiet {
            eprintln!("{report}");
        }
    }

    /// Says what should be known.
    pub fn warn(&self, warning: &str) {
        if !self.quiet {
            eprintln!("warning: {warning}");
        }
    }
}

impl Drop for Messages {
    fn drop(&mut self) {
        self.bar.clear();
    }
}

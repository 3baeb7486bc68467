//! Progress on a terminal: rows, rate and time left, on stderr.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use meed::operators::engine::{Progress, Report};

const KNOWN: &str = "{msg} {wide_bar} {human_pos}/{human_len} rows  {rate}  {eta} left";
const ITERATIONS: &str = "{msg} {wide_bar} {pos}/{len} iterations  {eta} left";
const UNKNOWN: &str = "{spinner} {msg} {human_pos} rows  {rate}  {elapsed}";

/// A bar that draws only where stderr is a terminal and the run is not quiet.
#[derive(Clone)]
pub struct Bar(ProgressBar);

impl Bar {
    /// A bar that counts rows, of which it is not known how many there are.
    pub fn new(message: &'static str, quiet: bool) -> Self {
        let target = match quiet {
            true => ProgressDrawTarget::hidden(),
            false => ProgressDrawTarget::stderr(),
        };
        let bar = ProgressBar::with_draw_target(None, target).with_message(message);
        bar.set_style(style(UNKNOWN));
        bar.enable_steady_tick(Duration::from_millis(200));
        Bar(bar)
    }

    /// Adds rows.
    pub fn add(&self, rows: u64) {
        self.0.inc(rows);
    }

    /// Counts iterations in place of rows.
    pub fn count_iterations(&self, total: u64) {
        self.0.set_length(total);
        self.0.set_style(style(ITERATIONS));
    }

    /// Prints a line above the bar, or as it is where there is none.
    pub fn line(&self, text: &str) {
        self.0.suspend(|| eprintln!("{text}"));
    }

    /// What the engine reports to; how to call passes that gather, and the others.
    pub fn report(&self, gathers: &'static str, does: &'static str) -> Report {
        let (bar, gathering, sized) = (self.0.clone(), AtomicBool::new(false), AtomicBool::new(false));
        Arc::new(move |progress: Progress| {
            if let Some(total) = progress.total_rows
                && !sized.swap(true, Ordering::Relaxed)
            {
                bar.set_length(total);
                bar.set_style(style(KNOWN));
            }
            if gathering.swap(progress.gathering, Ordering::Relaxed) != progress.gathering {
                bar.reset();
                bar.set_message(if progress.gathering { gathers } else { does });
            }
            bar.inc(progress.rows);
        })
    }

    /// Removes the bar.
    pub fn clear(&self) {
        self.0.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    let rate = |state: &ProgressState, text: &mut dyn Write| {
        // Writing to a string does not fail.
        let _ = write!(text, "{:.0} rows/s", state.per_sec());
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.with_key("rate", rate)
}

//! What a training run did, in words.

use std::fmt;

use meed_pipelines::live::Evaluation;

/// An evaluation on held-out prompts, and when it was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Try {
    /// `after warm-up`, `after training`.
    pub when: &'static str,
    /// What it found.
    pub found: Evaluation,
}

/// What a training run did.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainReport {
    /// Name of the run.
    pub run: String,
    /// Name of the dataset of rollouts; the other tables are named after it.
    pub dataset: String,
    /// Where datasets are.
    pub catalog: String,
    /// True where an earlier attempt had finished the run already.
    pub done_before: bool,
    /// Iterations of this attempt.
    pub iterations: u64,
    /// Iterations that an earlier attempt had committed.
    pub skipped: u64,
    /// The first iteration that was not sampled because the aim was reached.
    pub stopped_at: Option<u64>,
    /// Evaluations on held-out prompts, in order.
    pub held_out: Vec<Try>,
    /// The directory of the trained model.
    pub model: String,
    /// Wall-clock seconds of this attempt, warm-up and evaluations included.
    pub seconds: f64,
    /// Queries to ask of what was written, each with what it answers.
    pub queries: Vec<(&'static str, String)>,
}

impl fmt::Display for TrainReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.done_before {
            writeln!(f, "run {} is done already: dataset {} has it", short(&self.run), self.dataset)?;
        } else {
            write!(f, "run {}: {} iterations in {:.0} s", short(&self.run), self.iterations, self.seconds)?;
            match self.skipped {
                0 => writeln!(f)?,
                skipped => writeln!(f, ", after {skipped} of an earlier attempt")?,
            }
        }
        if let Some(epoch) = self.stopped_at {
            writeln!(f, "the aim was reached: nothing was sampled from iteration {epoch} on")?;
        }
        for tried in &self.held_out {
            let Evaluation { prompts, pass_rate, failed } = tried.found;
            write!(f, "held-out pass rate {}: {:.1}% of {prompts}", tried.when, 100.0 * pass_rate)?;
            match failed {
                0 => writeln!(f)?,
                failed => writeln!(f, ", {failed} without a reward")?,
            }
        }
        write!(f, "trained model: {}", self.model)
    }
}

fn short(run: &str) -> &str {
    run.get(..12).unwrap_or(run)
}

//! How training goes, line by line and at the end as a table.

use meed::TrainReport;
use meed::pipelines::live::EpochReport;

use crate::output::columns;

/// Lines that a run says on the way, and rows of the table at its end, whatever its length.
const LINES: u64 = 20;

/// What was seen of the run so far.
pub struct TrainingLog {
    iterations: u64,
    /// Since the last line.
    open: Stretch,
    rows: Vec<Vec<String>>,
}

/// Means over a stretch of iterations.
#[derive(Default)]
struct Stretch {
    epochs: f64,
    reward: f64,
    pass_rate: f64,
    entropy: f64,
    divergence: Option<f64>,
    zero_variance: f64,
    groups: f64,
    tokens: f64,
    seconds: f64,
    without_reward: usize,
}

impl TrainingLog {
    pub fn new(iterations: u64) -> Self {
        TrainingLog { iterations, open: Stretch::default(), rows: Vec::new() }
    }

    /// Takes in an iteration; a line where it is time for one.
    pub fn add(&mut self, report: &EpochReport) -> Option<String> {
        self.open.add(report);
        let done = report.epoch + 1;
        let every = self.iterations.div_ceil(LINES).max(1);
        if !done.is_multiple_of(every) && done != self.iterations {
            return None;
        }
        let stretch = std::mem::take(&mut self.open);
        let row = stretch.row(done);
        let line = HEAD.iter().zip(&row).map(|(name, value)| format!("{name} {value}"));
        let line = line.collect::<Vec<_>>().join("  ");
        self.rows.push(row);
        Some(match stretch.without_reward {
            0 => line,
            missing => format!("{line}  without reward {missing}"),
        })
    }

    /// The closing table: what was measured, by iteration, then the held-out pass rates.
    pub fn table(&self, report: &TrainReport) -> String {
        let head = HEAD.map(str::to_owned).to_vec();
        let mut text = match self.rows.is_empty() {
            true => String::new(),
            false => columns(&[vec![head], self.rows.clone()].concat()),
        };
        for tried in &report.held_out {
            let (rate, prompts) = (100.0 * tried.found.pass_rate, tried.found.prompts);
            text.push_str(&format!("held-out {}: {rate:.1}% of {prompts}\n", tried.when));
        }
        text
    }
}

const HEAD: [&str; 7] = ["iteration", "reward", "pass", "entropy", "kl", "zero-variance", "tokens/s"];

impl Stretch {
    fn add(&mut self, report: &EpochReport) {
        let mean = |of: &dyn Fn(&meed::pipelines::live::UpdateRow) -> Option<f64>| -> Option<f64> {
            let known: Vec<f64> = report.steps.iter().filter_map(of).collect();
            (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
        };
        self.epochs += 1.0;
        self.reward += report.reward_mean.unwrap_or_default();
        self.pass_rate += report.pass_rate.unwrap_or_default();
        self.entropy += mean(&|step| step.entropy).unwrap_or_default();
        if let Some(kl) = mean(&|step| step.parts.get("kl").copied()) {
            self.divergence = Some(self.divergence.unwrap_or_default() + kl);
        }
        self.zero_variance += report.steps.first().map_or(0.0, |step| step.zero_variance_groups as f64);
        self.groups += report.groups as f64;
        self.tokens += report.sampled_tokens as f64;
        self.seconds += report.seconds;
        self.without_reward += report.without_reward;
    }

    fn row(&self, iteration: u64) -> Vec<String> {
        let per_epoch = |sum: f64| sum / self.epochs.max(1.0);
        vec![
            iteration.to_string(),
            format!("{:.3}", per_epoch(self.reward)),
            format!("{:.1}%", 100.0 * per_epoch(self.pass_rate)),
            format!("{:.3}", per_epoch(self.entropy)),
            self.divergence.map_or("-".to_owned(), |sum| format!("{:.4}", per_epoch(sum))),
            format!("{:.0}/{:.0}", per_epoch(self.zero_variance), per_epoch(self.groups)),
            format!("{:.0}", self.tokens / self.seconds.max(1e-9)),
        ]
    }
}

//! The newest metrics of a run as Prometheus text, in a file that a collector reads.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;

use meed_operators::{Error, Result};
use meed_pipelines::live::EpochReport;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Replaces the file by the metrics of an epoch; whoever reads it sees the old or the new ones, whole.
///
/// # Errors
/// A file that cannot be written.
pub(super) fn write(file: &Path, run: &str, report: &EpochReport) -> Result<()> {
    let failed = |error: &dyn std::fmt::Display| {
        Error::external(
            format!("writing metrics to {}", file.display()),
            error.to_string(),
            "check that the directory exists and can be written",
        )
    };
    let mut text = String::new();
    encode(&mut text, &registry(run, report)).map_err(|error| failed(&error))?;
    let mut partial = PathBuf::from(file);
    partial.as_mut_os_string().push(".partial");
    std::fs::write(&partial, text).map_err(|error| failed(&error))?;
    std::fs::rename(&partial, file).map_err(|error| failed(&error))
}

fn registry(run: &str, report: &EpochReport) -> Registry {
    let labels = [("run".into(), run.to_owned().into())];
    let mut registry = Registry::with_labels(labels.into_iter());
    let mut add = |name: &str, help: &str, value: Option<f64>| {
        if let Some(value) = value {
            let gauge = Gauge::<f64, AtomicU64>::default();
            gauge.set(value);
            registry.register(format!("meed_{name}"), help, gauge);
        }
    };
    add("iteration", "Iteration of these metrics", Some(report.epoch as f64));
    add("rollouts", "Rollouts of the iteration", Some(report.rollouts as f64));
    add("rollouts_without_reward", "Rollouts whose reward is not known", Some(report.without_reward as f64));
    add("sampled_tokens", "Tokens that the policy sampled", Some(report.sampled_tokens as f64));
    add("reward_mean", "Mean reward", report.reward_mean);
    add("pass_rate", "Share of rollouts with a reward of at least 1", report.pass_rate);
    if let Some(step) = report.steps.last() {
        add("optimiser_step", "Optimiser steps so far", Some(step.step as f64));
        add("reward_std", "Standard deviation of the rewards", step.reward_std);
        add(
            "zero_variance_groups",
            "Groups whose rewards are all equal",
            Some(step.zero_variance_groups as f64),
        );
        add("loss", "Loss of the last optimiser step", step.loss);
        add("entropy", "Mean entropy of the trained tokens, in nats", step.entropy);
        add("grad_norm", "Norm of the gradient before clipping", step.grad_norm);
        add("learning_rate", "Learning rate", step.learning_rate);
        for (name, value) in &step.parts {
            add(name, "Part of the loss, or a metric of the objective", Some(*value));
        }
    }
    registry
}

#[cfg(test)]
mod tests {
    use super::*;
    use meed_pipelines::live::UpdateRow;

    #[test]
    fn the_file_holds_the_newest_metrics() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("meed.prom");
        let mut report =
            EpochReport { epoch: 3, rollouts: 8, pass_rate: Some(0.25), ..EpochReport::default() };
        report.steps.push(UpdateRow { entropy: Some(1.5), ..UpdateRow::default() });
        for epoch in [3, 4] {
            report.epoch = epoch;
            write(&file, "r1", &report).unwrap();
        }
        let text = std::fs::read_to_string(&file).unwrap();
        for line in [
            "meed_iteration{run=\"r1\"} 4.0",
            "meed_pass_rate{run=\"r1\"} 0.25",
            "meed_entropy{run=\"r1\"} 1.5",
        ] {
            assert!(text.contains(line), "{text}");
        }
        assert!(!text.contains("reward_mean"), "what is not known is left out");
        assert!(write(&folder.path().join("no/such/folder"), "r1", &report).is_err());
    }
}

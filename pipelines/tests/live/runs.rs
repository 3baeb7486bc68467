//! Training runs of the bigram, and what they should reach.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::AsArray;
use arrow::datatypes::{Float64Type, Int64Type};
use async_trait::async_trait;
use meed_operators::Result;
use meed_operators::columns::Table;
use meed_operators::engine::RunOptions;
use meed_operators::judge::{Failure, Judge, JudgeContext, Judged, Judges};
use meed_operators::policy::Characters;
use meed_operators::sample::{Environments, Prompt, Sampler};
use meed_pipelines::live::{Checkpoints, Training, TrainingReport};
use meed_pipelines::stored::RecipeSettings;
use meed_pipelines::{find, find_objective};

use crate::bigram::Bigram;
use crate::tables::Stored;

pub const EPOCHS: u64 = 14;

/// Right where the response is mostly digits.
pub struct Digits;

#[async_trait]
impl Judge for Digits {
    fn name(&self) -> &str {
        "digits"
    }
    fn version(&self) -> &str {
        "1"
    }
    fn level(&self) -> &str {
        "rollout"
    }
    fn reads(&self) -> Vec<String> {
        vec!["response".to_owned()]
    }
    async fn judge(&self, rollout: Judged<'_>, _: &JudgeContext) -> Result<Vec<Option<f64>>, Failure> {
        Ok(vec![Some(digits(rollout))])
    }
}

pub fn digits(rollout: Judged<'_>) -> f64 {
    let responses = rollout.batch.column_by_name("response").unwrap().as_string::<i32>();
    let response = responses.value(rollout.row);
    response.chars().filter(|letter| letter.is_ascii_digit()).count().min(2) as f64 / 2.0
}

/// What varies between runs.
#[derive(Clone)]
pub struct Setting {
    pub recipe: &'static str,
    pub staleness: u64,
    pub workers: usize,
    pub seed: u64,
    pub stop_at: Option<f64>,
    pub environments: Option<Arc<dyn Environments>>,
    pub timely: Vec<String>,
}

impl Default for Setting {
    fn default() -> Self {
        Setting {
            recipe: "grpo",
            staleness: 0,
            workers: 1,
            seed: 3,
            stop_at: None,
            environments: None,
            timely: Vec::new(),
        }
    }
}

pub fn prompts(epoch: u64) -> Result<Vec<Prompt>> {
    let prompt = |number: u64| Prompt {
        group_id: format!("p{}", epoch * 6 + number),
        text: format!("{number}="),
        reference: None,
        metadata: None,
    };
    Ok((0..6).map(prompt).collect())
}

/// One attempt at a run; `fails_at` is the epoch at whose commit the machine goes down.
pub fn attempt(
    setting: &Setting,
    judge: Arc<dyn Judge>,
    stored: &Stored,
    checkpoints: &Path,
    fails_at: Option<u64>,
) -> Result<TrainingReport> {
    let sink = stored.sink(fails_at);
    let start = sink.committer()?.resume_at()?;
    let name = judge.name().to_owned();
    let judges = Judges::new(vec![judge])?.reward(&name)?.deadline(Duration::from_millis(300));
    let mut sampler = Sampler::new(Arc::new(Characters), 5, 4);
    sampler.environments = setting.environments.clone();
    let mut training = Training::new(
        Box::new(Bigram::new()),
        sampler,
        judges,
        RecipeSettings::from(find(setting.recipe)?),
        Arc::from(find_objective("ppo_clip")?.with(&[])?),
    )
    .prompts(prompts)
    .epochs(EPOCHS)
    .seed(setting.seed)
    .staleness(setting.staleness)
    .schedule(meed_operators::update::Schedule::constant(40.0))
    .checkpoints(Checkpoints::new(checkpoints))
    .replay(stored.from(Table::Rollouts, start));
    if let Some(aim) = setting.stop_at {
        training = training.stop_at(aim);
    }
    let options = RunOptions {
        commit_interval: Duration::ZERO,
        timely: setting.timely.clone(),
        ..RunOptions::workers(setting.workers)
    };
    training.run(sink, &options)
}

/// A whole run, undisturbed.
pub fn whole(setting: &Setting) -> (Stored, TrainingReport) {
    let (stored, folder) = (Stored::default(), tempfile::tempdir().unwrap());
    let report = attempt(setting, Arc::new(Digits), &stored, folder.path(), None).unwrap();
    (stored, report)
}

/// Mean reward by iteration.
pub fn rewards(stored: &Stored) -> Vec<f64> {
    let updates = stored.rows(Table::Updates);
    let rewards = updates.column_by_name("reward_mean").unwrap().as_primitive::<Float64Type>().clone();
    rewards.iter().map(Option::unwrap_or_default).collect()
}

#[test]
fn rewards_rise_and_every_table_is_written() {
    for (recipe, staleness) in [("grpo", 0), ("rloo", 1), ("tempo", 0), ("reinforce_pp", 4)] {
        let setting = Setting { recipe, staleness, ..Setting::default() };
        let (stored, report) = whole(&setting);
        let rewards = rewards(&stored);
        assert_eq!(rewards.len(), EPOCHS as usize);
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
        assert!(mean(&rewards[10..]) > mean(&rewards[..3]) + 0.05, "{recipe} {rewards:?}");
        assert_eq!(report.run.epochs, EPOCHS);
        assert_eq!(report.policy.version(), EPOCHS as i64);
        for table in [Table::Rollouts, Table::Scores, Table::Advantages] {
            assert_eq!(stored.rows(table).num_rows(), EPOCHS as usize * 30, "{recipe} {}", table.name());
        }
        if recipe == "tempo" {
            let nodes = stored.rows(Table::Nodes);
            assert!(nodes.num_rows() > EPOCHS as usize * 6 * 2);
            let visits = nodes.column_by_name("visits").unwrap().as_primitive::<Int64Type>();
            assert!(visits.iter().flatten().all(|visits| (1..=5).contains(&visits)));
        }
    }
}

#[test]
fn a_run_that_reaches_its_aim_samples_no_more() {
    let setting = Setting { staleness: 1, stop_at: Some(0.3), ..Setting::default() };
    let (stored, report) = whole(&setting);
    let stopped = report.stopped_at.expect("the aim is low") as i64;
    let rollouts = stored.rows(Table::Rollouts);
    let iterations = rollouts.column_by_name("iteration").unwrap().as_primitive::<Int64Type>();
    assert_eq!(iterations.values().iter().max(), Some(&(stopped - 1)));
    assert_eq!(report.run.epochs, EPOCHS);
}

//! update, and what comes right before it: the learner's own scores, credit, then optimiser steps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::Float64Type;
use meed_operators::columns::Table;
use meed_operators::credit::Unit;
use meed_operators::engine::{rows_of, table_of};
use meed_operators::objectives::Objective;
use meed_operators::policy::{Learner, Policy, StepReport, TokenBatch, TokenScores};
use meed_operators::random::RandomKey;
use meed_operators::update::{Cut, Schedule, minibatches};
use meed_operators::{Error, Result};

use super::checkpoints::{Checkpoints, RunState};
use super::learned_judge::LearnedJudge;
use super::model_signals::with_token_signal;
use super::policies::{Policies, Published, version_of};
use super::training_rows::{TrainingRows, with_scores};
use super::update_row::{UpdateRow, update_rows};
use crate::ready::rows_beside;
use crate::stored::RecipeSettings;

/// How the policy is changed by an epoch.
#[derive(Clone)]
pub struct UpdateSettings {
    /// What gives the advantages.
    pub recipe: RecipeSettings,
    /// What is minimised.
    pub objective: Arc<dyn Objective>,
    /// Learning rate by optimiser step.
    pub schedule: Schedule,
    /// How often the rollouts of an epoch are trained on.
    pub passes: usize,
    /// How each pass over them is cut into optimiser steps.
    pub cut: Cut,
    /// Temperature at which log-probabilities are taken: that of sampling.
    pub temperature: f64,
    /// Recompute `token_old_logprobs` with the weights before the update; as sampled where false.
    pub recompute_old: bool,
    /// Whose log-probabilities are `token_ref_logprobs`; none where the objective needs none.
    pub reference: Option<Arc<dyn Policy>>,
    /// Keep record of how prompts went: it grows with the prompts, and only some strategies read it.
    pub keeps_history: bool,
    /// Seed of the run.
    pub seed: u64,
    /// Epochs between the policy that samples and the one that is updated.
    pub staleness: u64,
}

/// What is told of an epoch when its update is done.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EpochReport {
    /// The epoch.
    pub epoch: u64,
    /// Rollouts, and their rewards where known.
    pub rollouts: usize,
    /// Rollouts whose reward is null.
    pub without_reward: usize,
    /// Groups.
    pub groups: usize,
    /// Tokens that the policy sampled.
    pub sampled_tokens: u64,
    /// Mean reward of the rollouts that have one.
    pub reward_mean: Option<f64>,
    /// Share of rollouts with a reward of at least 1.
    pub pass_rate: Option<f64>,
    /// Wall-clock seconds since the update before it, or since the loop began.
    pub seconds: f64,
    /// Its optimiser steps.
    pub steps: Vec<UpdateRow>,
}

/// The learner and everything that changes with it, epoch by epoch.
pub(super) struct Updater {
    learner: Box<dyn Learner>,
    settings: UpdateSettings,
    judges: Vec<LearnedJudge>,
    state: RunState,
    checkpoints: Option<Checkpoints>,
    policies: Policies,
    aim: Aim,
    observe: Arc<dyn Fn(&EpochReport) + Send + Sync>,
    /// When the last epoch was done.
    since: Instant,
}

/// The pass rate at which sampling ends, and the first epoch that is not sampled any more.
pub(super) type Aim = (Option<f64>, Arc<AtomicU64>);

impl Updater {
    /// An updater whose learner is at the version that the first epoch to come begins with.
    pub fn new(
        (learner, judges): (Box<dyn Learner>, Vec<LearnedJudge>),
        settings: UpdateSettings,
        state: RunState,
        checkpoints: Option<Checkpoints>,
        policies: Policies,
        aim: Aim,
        observe: Arc<dyn Fn(&EpochReport) + Send + Sync>,
    ) -> Self {
        Updater {
            learner,
            settings,
            judges,
            state,
            checkpoints,
            policies,
            aim,
            observe,
            since: Instant::now(),
        }
    }

    /// The learner as it is.
    pub fn learner(&self) -> &dyn Learner {
        self.learner.as_ref()
    }

    /// Everything from the rollouts of an epoch to a new policy: scores of the learner, credit,
    /// optimiser steps, publication, checkpoint. Returns the rows to write.
    ///
    /// # Errors
    /// A recipe or objective that does not fit the rollouts; a loss that is not finite; a checkpoint
    /// that cannot be written.
    pub fn update(&mut self, epoch: u64, rows: Vec<RecordBatch>) -> Result<Vec<RecordBatch>> {
        let (rollouts, mut written): (Vec<_>, Vec<_>) =
            rows.into_iter().partition(|rows| table_of(rows) == Some(Table::Rollouts));
        written.retain(|rows| rows.num_rows() > 0);
        let mut report = EpochReport { epoch, ..EpochReport::default() };
        let blank = UpdateRow {
            iteration: epoch as i64,
            step: self.state.steps as i64,
            recipe: self.settings.recipe.recipe.name.to_owned(),
            objective: self.settings.objective.name().to_owned(),
            ..UpdateRow::default()
        };
        if let Some(first) = rollouts.iter().find(|rows| rows.num_rows() > 0) {
            let unit = self.with_scores(Unit::new(concat_batches(&first.schema(), &rollouts)?)?)?;
            let row = summarise(&unit, &mut report, blank.clone())?;
            let recipe = &self.settings.recipe;
            let (earlier, rollouts) = (&mut self.state.earlier, unit.batch().clone());
            let given = recipe.recipe.in_memory_after(earlier, &recipe.settings, rollouts)?;
            let advantages = given.rows.ok_or_else(|| {
                Error::usage(
                    format!(
                        "recipe {} gives no advantage, so nothing can be trained by it",
                        recipe.recipe.name
                    ),
                    "`meed recipes` says what each one gives",
                )
            })?;
            let training = TrainingRows::new(&given.unit, &advantages)?;
            report.steps = self.steps(epoch, &training, &row)?;
            for judge in &mut self.judges {
                if let (Some(loss), Some(step)) = (judge.learn(&unit)?, report.steps.last_mut()) {
                    step.parts.insert(format!("{}_loss", judge.signal), loss);
                }
            }
            written.push(rows_of(Table::Rollouts, unit.batch())?);
            written.push(rows_of(Table::Advantages, &advantages)?);
            written.extend(rows_beside(self.settings.recipe.recipe.name, &given.tables, &given.unit)?);
            if self.settings.keeps_history {
                self.state.history.record(unit.batch())?;
            }
        }
        let stopped = epoch >= self.aim.1.load(Ordering::Acquire);
        if report.steps.is_empty() && !stopped {
            report.steps.push(blank);
        }
        if let (Some(aim), Some(rate), false) = (self.aim.0, report.pass_rate, stopped)
            && rate >= aim
            && self.state.stopped_at.is_none()
        {
            // The epochs up to here are being sampled already.
            let first = epoch + 1 + self.settings.staleness;
            self.state.stopped_at = Some(first);
            self.aim.1.store(first, Ordering::Release);
        }
        self.learner.publish();
        let version = self.learner.version();
        if let Some(checkpoints) = &self.checkpoints {
            let beside: Vec<(&str, &dyn Learner)> =
                self.judges.iter().map(|judge| (judge.signal.as_str(), judge.learner.as_ref())).collect();
            checkpoints.save(version, self.learner.as_ref(), &beside, &self.state)?;
        }
        let history = Arc::new(self.state.history.clone());
        self.policies.publish(version, Published { policy: self.learner.policy()?, history });
        self.policies.forget_below(version_of(epoch + 1, self.settings.staleness));
        if !report.steps.is_empty() {
            written.push(rows_of(Table::Updates, &update_rows(&report.steps)?)?);
            report.seconds = self.since.elapsed().as_secs_f64();
            self.since = Instant::now();
            (self.observe)(&report);
        }
        Ok(written)
    }

    /// The rollouts with what the learner and the reference policy say of their tokens, where asked for.
    fn with_scores(&self, unit: Unit) -> Result<Unit> {
        let settings = &self.settings;
        let wants_values = self.reads("token_values")?;
        let mut unit = unit;
        for judge in &self.judges {
            unit = Unit::new(judge.judge(&unit)?)?;
        }
        if !settings.recompute_old && !wants_values && settings.reference.is_none() {
            return Ok(unit);
        }
        let tokens = TrainingRows::all(&unit)?;
        let mut batch = unit.batch().clone();
        if settings.recompute_old || wants_values {
            let scores = self.learner.score(&tokens, settings.temperature)?;
            if settings.recompute_old {
                batch = with_token_signal(batch, "token_old_logprobs", &scores.logprobs, &tokens)?;
            }
            match &scores.values {
                Some(values) if wants_values => {
                    batch = with_token_signal(batch, "token_values", values, &tokens)?;
                }
                _ => {}
            }
        }
        if let Some(reference) = &settings.reference {
            let scores = reference.score(&tokens, settings.temperature)?;
            batch = with_token_signal(batch, "token_ref_logprobs", &scores.logprobs, &tokens)?;
        }
        Unit::new(batch)
    }

    /// Whether the recipe reads a column.
    fn reads(&self, name: &str) -> Result<bool> {
        let recipe = &self.settings.recipe;
        let (_, plan) = recipe.recipe.set(&recipe.settings)?;
        Ok(plan.credit.reads().iter().any(|read| read == name))
    }

    fn steps(&mut self, epoch: u64, training: &TrainingRows, row: &UpdateRow) -> Result<Vec<UpdateRow>> {
        let key = RandomKey::new(self.settings.seed, epoch, "update", "");
        let mut rows = Vec::new();
        let UpdateSettings { passes, cut, .. } = self.settings;
        for rollouts in minibatches(&training.sizes(), passes, cut, key) {
            let began = Instant::now();
            let (batch, columns) = training.select(&rollouts);
            let trained = batch.mask.iter().filter(|&&trained| trained).count();
            if trained == 0 {
                continue;
            }
            let objective = self.settings.objective.clone();
            let loss = |scores: &TokenScores| objective.loss(&with_scores(columns.clone(), scores));
            let rate = self.settings.schedule.rate(self.state.steps);
            let done = self.learner.step(&batch, self.settings.temperature, &loss, rate)?;
            rows.push(filled(row, self.state.steps, done, &batch, rate, began));
            self.state.steps += 1;
        }
        Ok(rows)
    }
}

fn filled(
    row: &UpdateRow,
    step: u64,
    done: StepReport,
    batch: &TokenBatch,
    rate: f64,
    began: Instant,
) -> UpdateRow {
    UpdateRow {
        step: step as i64,
        loss: Some(done.loss.value),
        parts: done.loss.parts,
        entropy: Some(done.entropy),
        grad_norm: Some(done.grad_norm),
        learning_rate: Some(rate),
        tokens: batch.mask.iter().filter(|&&trained| trained).count() as i64,
        wall_ms: began.elapsed().as_secs_f64() * 1e3,
        ..row.clone()
    }
}

/// Fills in what the rewards say.
fn summarise(unit: &Unit, report: &mut EpochReport, mut row: UpdateRow) -> Result<UpdateRow> {
    report.rollouts = unit.rows();
    report.groups = unit.group_of().iter().collect::<BTreeSet<_>>().len();
    report.sampled_tokens = unit.mask()?.true_count() as u64;
    let rewards = unit.column("reward").and_then(|column| column.as_primitive_opt::<Float64Type>());
    let Some(rewards) = rewards else { return Ok(row) };
    let known: Vec<f64> = rewards.iter().flatten().collect();
    report.without_reward = rewards.null_count();
    if !known.is_empty() {
        let count = known.len() as f64;
        let mean = known.iter().sum::<f64>() / count;
        let variance = known.iter().map(|reward| (reward - mean).powi(2)).sum::<f64>() / count;
        report.reward_mean = Some(mean);
        report.pass_rate = Some(known.iter().filter(|reward| **reward >= 1.0).count() as f64 / count);
        row.reward_mean = Some(mean);
        row.reward_std = Some(variance.sqrt());
    }
    let mut groups: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
    for (index, reward) in rewards.iter().enumerate() {
        if let Some(reward) = reward {
            let (low, high) = groups.entry(unit.group_of()[index]).or_insert((reward, reward));
            (*low, *high) = (low.min(reward), high.max(reward));
        }
    }
    row.zero_variance_groups = groups.values().filter(|(low, high)| low == high).count() as i64;
    Ok(row)
}

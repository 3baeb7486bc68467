//! Training as a value that is built step by step and then run.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use meed_operators::engine::{LiveReport, LiveRun, RunOptions, Sink, execute};
use meed_operators::judge::Judges;
use meed_operators::objectives::Objective;
use meed_operators::policy::{Learner, Policy};
use meed_operators::sample::{Prompt, Sampler};
use meed_operators::update::{Cut, Schedule};
use meed_operators::{Error, Result};

use super::checkpoints::{Checkpoints, RunState};
use super::learned_judge::LearnedJudge;
use super::policies::{Policies, Published, version_of};
use super::pruning::Pruning;
use super::stages::{Prompts, Replay, Stages};
use super::updater::{EpochReport, UpdateSettings, Updater};
use crate::stored::RecipeSettings;

/// Hears of every epoch when its update is done.
pub type Observe = Arc<dyn Fn(&EpochReport) + Send + Sync>;

/// The closed loop: prompts, a sampler, judges, a recipe, an objective and a learner.
///
/// The same seeds give the same bits, for any number of workers, and for a run that was killed and
/// resumed.
pub struct Training {
    learner: Box<dyn Learner>,
    prompts: Prompts,
    sampler: Sampler,
    judges: Judges,
    update: UpdateSettings,
    epochs: u64,
    learned_judges: Vec<LearnedJudge>,
    checkpoints: Option<Checkpoints>,
    export: Option<PathBuf>,
    replay: Replay,
    stop_at: Option<f64>,
    observe: Observe,
}

/// What a training run did.
pub struct TrainingReport {
    /// Epochs and commits.
    pub run: LiveReport,
    /// The policy that the last update published.
    pub policy: Arc<dyn Policy>,
    /// The first epoch that was not sampled because the run had reached its aim.
    pub stopped_at: Option<u64>,
}

impl Training {
    /// A run of one epoch that is on-policy, with a constant learning rate of 1e-4 and one optimiser
    /// step per epoch. `judges` must name the one that gives the reward, unless rollouts bring it.
    pub fn new(
        learner: Box<dyn Learner>,
        sampler: Sampler,
        judges: Judges,
        recipe: RecipeSettings,
        objective: Arc<dyn Objective>,
    ) -> Self {
        let temperature = sampler.sampling.temperature;
        let keeps_history = sampler.strategy.reads_history();
        Training {
            learner,
            prompts: Arc::new(|_| Ok(Vec::new())),
            sampler,
            judges,
            update: UpdateSettings {
                recipe,
                objective,
                schedule: Schedule::constant(1e-4),
                passes: 1,
                cut: Cut::Steps(1),
                temperature,
                recompute_old: false,
                reference: None,
                keeps_history,
                seed: 0,
                staleness: 0,
            },
            epochs: 1,
            learned_judges: Vec::new(),
            checkpoints: None,
            export: None,
            replay: BTreeMap::new(),
            stop_at: None,
            observe: Arc::new(|_| ()),
        }
    }

    /// The prompts of each epoch. The function must give the same list in every worker and attempt.
    pub fn prompts(mut self, prompts: impl Fn(u64) -> Result<Vec<Prompt>> + Send + Sync + 'static) -> Self {
        self.prompts = Arc::new(prompts);
        self
    }

    /// Number of epochs.
    pub fn epochs(mut self, epochs: u64) -> Self {
        self.epochs = epochs;
        self
    }

    /// How many updates the sampling policy is behind: exact, not a bound.
    pub fn staleness(mut self, staleness: u64) -> Self {
        self.update.staleness = staleness;
        self
    }

    /// Seed of every draw.
    pub fn seed(mut self, seed: u64) -> Self {
        self.update.seed = seed;
        self
    }

    /// Learning rate by optimiser step.
    pub fn schedule(mut self, schedule: Schedule) -> Self {
        self.update.schedule = schedule;
        self
    }

    /// How often an epoch's rollouts are trained on, and how each pass is cut into optimiser steps.
    pub fn minibatches(mut self, passes: usize, cut: Cut) -> Self {
        (self.update.passes, self.update.cut) = (passes, cut);
        self
    }

    /// Recompute log-probabilities with the weights before the update, in place of those as sampled.
    pub fn recompute_old(mut self, recompute: bool) -> Self {
        self.update.recompute_old = recompute;
        self
    }

    /// The policy from which divergence is measured.
    pub fn reference(mut self, policy: Arc<dyn Policy>) -> Self {
        self.update.reference = Some(policy);
        self
    }

    /// A model that scores tokens for the recipe and learns from the outcomes beside the policy.
    pub fn learned_judge(mut self, judge: LearnedJudge) -> Self {
        self.learned_judges.push(judge);
        self
    }

    /// Where checkpoints go; without them a run cannot be resumed.
    pub fn checkpoints(mut self, checkpoints: Checkpoints) -> Self {
        self.checkpoints = Some(checkpoints);
        self
    }

    /// Where the trained weights go when the run is over, for other programs to read.
    pub fn export(mut self, directory: impl Into<PathBuf>) -> Self {
        self.export = Some(directory.into());
        self
    }

    /// Rows of epochs that an earlier attempt committed without their update.
    pub fn replay(mut self, replay: Replay) -> Self {
        self.replay = replay;
        self
    }

    /// Sample no more once an epoch's pass rate reaches this share.
    pub fn stop_at(mut self, pass_rate: f64) -> Self {
        self.stop_at = Some(pass_rate);
        self
    }

    /// Who hears of every epoch.
    pub fn observe(mut self, observe: Observe) -> Self {
        self.observe = observe;
        self
    }

    /// Refuses options that training cannot work with.
    ///
    /// # Errors
    /// Several processes.
    pub fn check(options: &RunOptions) -> Result<()> {
        match options.processes()? {
            1 => Ok(()),
            _ => Err(Error::usage(
                "training runs in one process",
                "use --workers for more threads; weights do not travel between processes",
            )),
        }
    }

    /// Runs until the last epoch is committed to the sink, from the first one that is not.
    ///
    /// # Errors
    /// The fault that ended the run, with operator and epoch; checkpoints that a resumed run needs and
    /// that are gone.
    pub fn run(mut self, sink: Arc<dyn Sink>, options: &RunOptions) -> Result<TrainingReport> {
        Self::check(options)?;
        let staleness = self.update.staleness;
        let start = sink.committer()?.resume_at()?.min(self.epochs);
        let policies = Policies::default();
        let state = self.begin(start, &policies)?;
        let stopped = Arc::new(AtomicU64::new(state.stopped_at.unwrap_or(u64::MAX)));
        let sink = match &self.checkpoints {
            None => sink,
            Some(checkpoints) => Arc::new(Pruning { sink, checkpoints: checkpoints.clone(), staleness }),
        };
        let seed = self.update.seed;
        let updater = Updater::new(
            (self.learner, self.learned_judges),
            self.update,
            state,
            self.checkpoints,
            policies.clone(),
            (self.stop_at, stopped.clone()),
            self.observe,
        );
        let updater = Arc::new(Mutex::new(updater));
        let trained = updater.clone();
        let stages = Stages {
            prompts: self.prompts,
            sampler: Arc::new(self.sampler),
            judges: self.judges,
            policies: policies.clone(),
            updater,
            replay: Arc::new(self.replay),
            stopped: stopped.clone(),
            seed,
            staleness,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
            Error::external("starting the runtime of slow work", error, "use fewer threads")
        })?;
        let run = LiveRun {
            stages: Arc::new(stages),
            epochs: self.epochs,
            staleness,
            judging: JUDGING,
            sink,
            runtime: runtime.handle().clone(),
        };
        let reports = execute(options, move |session| session.run_live(&run));
        // A judge that hangs must not keep the program from ending.
        runtime.shutdown_background();
        let run = reports?.into_iter().next();
        let run = run.ok_or_else(|| Error::usage("a run needs at least one worker", ""))?;
        if let Some(directory) = &self.export {
            trained.lock().unwrap_or_else(PoisonError::into_inner).learner().export(directory)?;
        }
        let stopped = stopped.load(Ordering::Acquire);
        Ok(TrainingReport {
            run,
            policy: policies.newest()?,
            stopped_at: (stopped < self.epochs).then_some(stopped),
        })
    }

    /// Brings the learner to the version that the first epoch needs, and publishes those that sample
    /// the epochs under way.
    fn begin(&mut self, start: u64, policies: &Policies) -> Result<RunState> {
        let version = version_of(start, 0);
        let mut state = RunState::default();
        if let Some(checkpoints) = &self.checkpoints {
            if start == 0 && !checkpoints.has(0) {
                let beside: Vec<(&str, &dyn Learner)> = self
                    .learned_judges
                    .iter()
                    .map(|judge| (judge.signal.as_str(), judge.learner.as_ref()))
                    .collect();
                checkpoints.save(0, self.learner.as_ref(), &beside, &state)?;
            } else {
                state = checkpoints.load(version, self.learner.as_mut())?;
                for judge in self.learned_judges.iter_mut().filter(|_| version > 0) {
                    judge.learner.load(&checkpoints.path(version).join(&judge.signal))?;
                }
            }
            for earlier in version_of(start, self.update.staleness)..version {
                let history = Arc::new(checkpoints.state(earlier)?.history);
                let policy = self.learner.saved_policy(&checkpoints.path(earlier))?;
                policies.publish(earlier, Published { policy, history });
            }
        } else if start > 0 {
            return Err(Error::usage(
                format!("epochs before {start} are committed, and there are no checkpoints to go on from"),
                "start another run with `--new-run`",
            ));
        }
        let history = Arc::new(state.history.clone());
        policies.publish(version, Published { policy: self.learner.policy()?, history });
        Ok(state)
    }
}

/// Messages that a worker has judged at the same time; calls inside them have a limit of their own.
const JUDGING: usize = 16;

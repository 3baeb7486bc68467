//! What happens when a training run runs: warm up, evaluate, go round, evaluate.

use std::sync::Arc;
use std::time::Instant;

use meed_catalog::Catalog;
use meed_operators::judge::{Judge, Judges};
use meed_operators::policy::{Learner, Policy, Tokenizer};
use meed_operators::sample::{Prompt, Sampler};
use meed_operators::update::Cut;
use meed_operators::{Error, Result};
use meed_pipelines::live::{Checkpoints, Observe, RunState, Training, WarmUp, evaluate, warm_up};
use meed_pipelines::tasks::{Problems, TaskJudge};

use super::models::Model;
use super::report::{TrainReport, Try};
use super::{Train, closing, prometheus, replay, tables};

impl Train {
    /// Trains, writes every rollout, score, node, advantage and update, and says what came of it.
    ///
    /// # Errors
    /// Settings that do not fit together; a dataset that holds another run; the fault that ended the
    /// run, with operator and iteration. What was committed stays, and the same run continues from it.
    pub fn run(self) -> Result<TrainReport> {
        let began = Instant::now();
        let recipe = self.recipe_settings()?;
        let objective = self.built_objective()?;
        let schedule = self.built_schedule()?;
        Training::check(&self.options)?;
        let lineage = self.lineage(&recipe)?;
        let problems = Problems::new(self.task, self.level(), self.seed)?;
        let held_out = problems.held_out(self.held_out)?;
        let catalog = Catalog::open(&self.catalog)?;
        let dataset = self.dataset();
        let (_, plan) = recipe.recipe.set(&recipe.settings)?;
        let sink = tables::training_tables(&catalog, &dataset, &lineage, &plan.tables())?;
        let start = sink.committer()?.resume_at()?.min(self.iterations);
        let reads = |name: &str| plan.credit.reads().iter().any(|read| read == name);
        let Model { mut learner, tokenizer } = self.build_model(reads("token_values"))?;
        let sampler = self.sampler(tokenizer.clone(), problems)?;
        let outcome: Arc<dyn Judge> = Arc::new(TaskJudge::outcome(self.task));
        let judges = Judges::new(vec![outcome])?.reward("outcome")?;
        let checkpoints = Checkpoints::new(self.checkpoint_directory(&lineage.run));
        let last = checkpoints.path(i64::try_from(self.iterations).unwrap_or(i64::MAX));
        let model = checkpoints.named("model")?;
        let mut report = TrainReport {
            run: lineage.run.clone(),
            dataset: dataset.clone(),
            catalog: self.catalog.clone(),
            done_before: start >= self.iterations,
            iterations: self.iterations - start,
            skipped: start,
            stopped_at: None,
            held_out: Vec::new(),
            model: model.display().to_string(),
            seconds: 0.0,
            queries: closing::queries(&dataset),
        };
        let tries = Tries { sampler: &sampler, judges: &judges, prompts: &held_out };
        if report.done_before {
            learner.load(&last)?;
            report.held_out.push(tries.of("after training", learner.policy()?)?);
            return Ok(report);
        }
        if start == 0 {
            match checkpoints.has(0) {
                true => learner.load(&checkpoints.path(0))?,
                false => {
                    self.warm_up(learner.as_mut(), &problems, &sampler)?;
                    checkpoints.save(0, learner.as_ref(), &[], &RunState::default())?;
                }
            }
            learner.save(&checkpoints.named("reference")?)?;
            let first = tries.of("after warm-up", learner.policy()?)?;
            let rate = 100.0 * first.found.pass_rate;
            (self.notes)(&format!("held-out pass rate after warm-up: {rate:.1}%"));
            report.held_out.push(first);
        }
        let measures = reads("token_ref_logprobs") || self.measures_divergence()?;
        let reference = match measures {
            true => Some(learner.saved_policy(&checkpoints.named("reference")?)?),
            false => None,
        };
        let (per_iteration, pool) = (self.prompts, self.pool.unwrap_or(u64::MAX));
        let mut training = Training::new(learner, sampler.clone(), judges.clone(), recipe, objective)
            .prompts(move |epoch| {
                let first = epoch * per_iteration;
                (first..first + per_iteration).map(|index| problems.training(index % pool)).collect()
            })
            .epochs(self.iterations)
            .staleness(self.staleness)
            .seed(self.seed)
            .schedule(schedule)
            .minibatches(self.passes, Cut::Steps(self.minibatches))
            .checkpoints(checkpoints)
            .export(model)
            .replay(replay::stored_from(&catalog, &dataset, start)?)
            .observe(self.observing(&lineage.run));
        if let Some(policy) = reference {
            training = training.reference(policy);
        }
        if let Some(aim) = self.stop_at {
            training = training.stop_at(aim);
        }
        let trained = training.run(sink, &self.options)?;
        report.stopped_at = trained.stopped_at;
        report.held_out.push(tries.of("after training", trained.policy)?);
        report.seconds = began.elapsed().as_secs_f64();
        Ok(report)
    }

    /// What is called after every iteration: the caller's own, and the file of metrics.
    fn observing(&self, run: &str) -> Observe {
        let (observe, notes, run) = (self.observe.clone(), self.notes.clone(), run.to_owned());
        match self.prometheus.clone() {
            None => observe,
            Some(file) => Arc::new(move |report| {
                observe(report);
                // Metrics that nobody can read are no reason to end a training run.
                if let Err(error) = prometheus::write(&file, &run, report) {
                    notes(&format!("warning: {error}"));
                }
            }),
        }
    }

    fn sampler(&self, tokenizer: Arc<dyn Tokenizer>, problems: Problems) -> Result<Sampler> {
        let limits = self.task.limits(self.level());
        let mut sampler = Sampler::new(tokenizer, self.group_size, limits.max_tokens);
        sampler.sampling.temperature = self.temperature;
        sampler.environments = self.task.environments(self.level());
        sampler.strategy = self.built_strategy(problems)?;
        Ok(sampler)
    }

    fn warm_up(&self, learner: &mut dyn Learner, problems: &Problems, sampler: &Sampler) -> Result<()> {
        if self.warm_up.steps == 0 {
            return Ok(());
        }
        let solutions = (0..self.solutions).map(|index| problems.warm_up(index));
        let solutions: Vec<_> = solutions.collect::<Result<_>>()?;
        let losses = warm_up(learner, sampler, &solutions, &WarmUp { seed: self.seed, ..self.warm_up })?;
        let tail = &losses[losses.len().saturating_sub(20)..];
        let mean = tail.iter().sum::<f64>() / tail.len().max(1) as f64;
        let (steps, count) = (losses.len(), solutions.len());
        (self.notes)(&format!(
            "warm-up: {steps} supervised steps on {count} solutions, loss {mean:.3} per token"
        ));
        Ok(())
    }
}

/// Held-out prompts and how they are tried.
struct Tries<'a> {
    sampler: &'a Sampler,
    judges: &'a Judges,
    prompts: &'a [Prompt],
}

impl Tries<'_> {
    fn of(&self, when: &'static str, policy: Arc<dyn Policy>) -> Result<Try> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::external("starting the evaluation", error, "use fewer threads"))?;
        let found = runtime.block_on(evaluate(self.sampler, self.judges, policy, self.prompts));
        runtime.shutdown_background();
        Ok(Try { when, found: found? })
    }
}

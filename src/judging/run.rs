//! What happens when rollouts are judged: open, sort, read what is known, ask the rest, report.

use meed_catalog::{Catalog, Input, Lineage};
use meed_connectors::Rejects;
use meed_operators::columns::Table;
use meed_operators::engine::Sink;
use meed_operators::judge::Judges;
use meed_operators::{Error, Result};
use meed_pipelines::stored::{AnsweredScores, JudgeJob, Rejected, judge};
use serde_json::{Map, Value};
use std::sync::Arc;

use super::asked::answerable;
use super::{Judging, JudgingReport};
use crate::address::Address;
use crate::judging::report::OnlyRows;
use crate::opened::Opened;
use crate::rejects::keep;
use crate::run_name::{run_name, salt};
use crate::scores::Scores;
use crate::staged::BadRows;
use crate::target::Target;

impl Judging {
    /// Judges every rollout by every judge, but for what was answered before.
    ///
    /// A run that was cut short is continued by running it again, since what it has stored is known
    /// then. What is asked and answered is stored once.
    ///
    /// # Errors
    /// Usage: no judge, no target, a judge that asks a policy where there is none. Data: rows that
    /// break an invariant. Anything that fails on the way, but for the judges themselves: their
    /// failures are scores with a status and a reason.
    pub fn run(self) -> Result<JudgingReport> {
        self.run.options.check()?;
        let target = self
            .to
            .as_ref()
            .ok_or_else(|| Error::usage("the scores have no target", "name a dataset or file with `to`"))?;
        let judges = self.limited()?;
        target.refuse(&self.from, "scores", &[])?;
        let bad_rows = BadRows {
            on_error: self.run.on_error,
            rejects: self.run.rejects.as_ref().map_or_else(Rejects::default, Rejects::into_file),
            rejected: Rejected::default(),
        };
        let catalog = Catalog::open(&self.run.catalog)?;
        let mut opened = Opened::open(&self.from, &catalog, self.run.slice_bytes, &bad_rows, &*self.notes)?;
        opened.cluster(&*self.notes)?;
        let (answered, before) = self.answered(target, &catalog)?;
        let lineage = self.lineage(&judges, opened.input(), &before, target);
        let run = lineage.run.clone();
        let (sink, name) = target.open(&self.run.catalog, Table::Scores, lineage)?;
        // A dataset needs no commit that adds nothing; a file is written in any case.
        let sink: Arc<dyn Sink> = match target {
            Target::Address(Address::Dataset(_)) => Arc::new(OnlyRows(sink)),
            _ => sink,
        };
        let (on_error, rejected) = (bad_rows.on_invalid(), bad_rows.rejected.clone());
        let (context, source) = (self.context.clone(), opened.source.clone());
        let job = JudgeJob { judges, context, answered, source, sink, on_error, rejected };
        let judged = judge(job, &self.run.options);
        // What was left out is worth knowing also where the run broke off.
        let kept = keep(bad_rows.rejected.take(), &bad_rows.rejects);
        let judged = judged?;
        kept?;
        Ok(JudgingReport {
            run,
            target: name,
            judged,
            rejected: bad_rows.rejects.count(),
            first_rejected: bad_rows.rejects.first(),
        })
    }

    /// The judges with their limit and deadline.
    fn limited(&self) -> Result<Judges> {
        let mut judges = answerable(&self.judges, &self.context)?;
        if let Some(calls) = self.concurrency {
            judges = judges.concurrency(calls);
        }
        if let Some(deadline) = self.deadline {
            judges = judges.deadline(deadline);
        }
        Ok(judges)
    }

    /// What the target says already, and what tells this state of the target from others.
    fn answered(&self, target: &Target, catalog: &Catalog) -> Result<(AnsweredScores, String)> {
        let Target::Address(address) = target else {
            return Ok((AnsweredScores::default(), String::new()));
        };
        let Some(Scores { input, batches }) = Scores::find(address, catalog)? else {
            return Ok((AnsweredScores::default(), String::new()));
        };
        let is_file = matches!(address, Address::File(_));
        let answered = match self.new_run {
            true => AnsweredScores::default(),
            false => AnsweredScores::read(batches, is_file).map_err(|error| error.in_file(&input.uri))?,
        };
        Ok((answered, input.fingerprint))
    }

    /// The run is named after the state of the target, too: where that has changed, other questions
    /// are open, and slices that an earlier run has committed are looked at again.
    fn lineage(&self, judges: &Judges, input: Input, before: &str, target: &Target) -> Lineage {
        let described = judges.judges().iter().map(|judge| {
            let version = Value::from(judge.version());
            let level = Value::from(judge.level());
            let about = [("version", version), ("level", level), ("parameters", judge.parameters())];
            let about: Map<String, Value> =
                about.map(|(key, value)| (key.to_owned(), value)).into_iter().collect();
            (judge.name().to_owned(), Value::Object(about))
        });
        let parameters = Value::Object(described.collect());
        let (to, salt) = (target.identity(&self.run.catalog), salt(self.new_run));
        let text = parameters.to_string();
        let model = &self.context.model;
        let parts = ["judge", &input.uri, &input.fingerprint, &text, model, &to, before, &salt];
        Lineage {
            run: run_name(parts),
            command: self.run.command.clone(),
            recipes: judges.judges().iter().map(|judge| judge.name().to_owned()).collect(),
            parameters,
            inputs: vec![input],
            code_version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

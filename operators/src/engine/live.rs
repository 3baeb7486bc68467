//! The live pipeline: sample, judge and update in a loop whose feedback edge is the staleness.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, AsArray, RecordBatch, UInt64Array};
use arrow::datatypes::UInt64Type;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::Operator;
use timely::dataflow::operators::generic::operator::source as timely_source;
use timely::dataflow::operators::{Concat, ConnectLoop, Feedback};
use timely::dataflow::{Scope, Stream};
use tokio::runtime::Handle;

use super::beside::{Piece, Work, beside};
use super::commit::{Schedule, commit};
use super::exchange::{to_worker, to_worker_of};
use super::stored::number;
use super::write::write;
use super::{Batch, Faults, Session, Sink};
use crate::Result;

/// What a worker is asked to sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleCall {
    /// The iteration.
    pub epoch: u64,
    /// Index of the worker that asks, over all processes.
    pub worker: usize,
    /// Number of workers: each samples the groups that it [owns](super::owner_of_group).
    pub peers: usize,
}

/// The three places of the loop where a model is at work; the rest follows from them.
///
/// Rows are marked with their table ([`rows_of`](super::rows_of)). What one stage does not know, it
/// passes on.
pub trait Loop: Send + Sync {
    /// sample: rollouts of the groups that the worker owns, under the policy of the epoch: the one
    /// that the update of epoch `epoch - 1 - staleness` published, or the initial one.
    fn sample(&self, call: SampleCall) -> Work;

    /// judge: a message of whole groups in; the rows with their scores, and rows of scores, out.
    fn judge(&self, epoch: u64, rows: RecordBatch) -> Work;

    /// Everything from whole groups to a new policy, once per epoch and strictly in order, on worker 0:
    /// tree-build, normalize, clip, update. The policy must be published when the work is done. What it
    /// returns is written.
    fn update(&self, epoch: u64, rows: Vec<RecordBatch>) -> Work;
}

/// A loop, how often it goes round, and where its rows go.
#[derive(Clone)]
pub struct LiveRun {
    /// The stages.
    pub stages: Arc<dyn Loop>,
    /// Number of epochs of the run, those included that earlier attempts have committed.
    pub epochs: u64,
    /// How many updates the policy of an epoch is behind, beyond the one that it waits for: exact, not
    /// a bound. 0 is on-policy.
    pub staleness: u64,
    /// Messages that are judged at the same time on a worker.
    pub judging: usize,
    /// Where rows go.
    pub sink: Arc<dyn Sink>,
    /// What slow work runs on.
    pub runtime: Handle,
}

/// What a live run did, the same on all workers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LiveReport {
    /// Epochs of this attempt.
    pub epochs: u64,
    /// Epochs that an earlier attempt had committed.
    pub skipped: u64,
    /// Commits made.
    pub commits: u64,
    /// Wall-clock time in this worker.
    pub seconds: f64,
}

impl Session {
    /// Runs the loop on all workers, from the first epoch that is not committed.
    ///
    /// An epoch's tick comes round the feedback edge, whose summary is `1 + staleness`: the update of
    /// epoch `t` is what allows sampling of `t + 1 + staleness`, and the first epochs are allowed from
    /// the start. Up to `1 + staleness` epochs are under way at a time.
    ///
    /// # Errors
    /// The fault that ended the run, with operator (`sample`, `judge`, `update`, `write`, `commit`) and
    /// epoch. What was committed before stays committed.
    pub fn run_live(&mut self, run: &LiveRun) -> Result<LiveReport> {
        let began = Instant::now();
        let faults = self.faults().clone();
        let (mut committer, mut resume) = (None, Vec::new());
        if self.index() == 0 {
            faults.attempt_at("commit", 0, || {
                let mut own = run.sink.committer()?;
                resume = own.resume_at()?.to_le_bytes().to_vec();
                committer = Some(own);
                Ok(())
            })?;
        }
        let agreed = self.share(&resume)?;
        let start = number(&agreed, 0, 0).min(run.epochs);
        let writer = faults.attempt_at("write", start, || run.sink.writer(self.index()))?;
        let schedule = Schedule {
            next: start,
            end: run.epochs,
            bytes: self.options().commit_bytes,
            interval: self.options().commit_interval,
        };
        let commits = Rc::new(Cell::new(0));
        let (counted, worker, peers) = (commits.clone(), self.index(), self.peers());
        let (stages, last, lag) = (run.stages.clone(), run.epochs, 1 + run.staleness);
        self.worker().dataflow::<u64, _, _>(|scope| {
            let (edge, published) = scope.feedback::<Batch>(lag);
            let ticks = ticks(scope, &faults, start..last.min(start + lag)).concat(published);
            let (sampling, judging, updating) = (stages.clone(), stages.clone(), stages);
            let sampled = beside(
                ticks,
                Pipeline,
                "sample",
                &faults,
                &run.runtime,
                (Piece::Message, lag as usize),
                move |epoch, mut tick| {
                    let rows = sampling.sample(SampleCall { epoch, worker, peers });
                    Box::pin(async move {
                        // The tick goes along, so that an epoch without rollouts is an epoch too.
                        tick.extend(rows.await?);
                        Ok(tick)
                    })
                },
            );
            let judged = beside(
                sampled,
                Pipeline,
                "judge",
                &faults,
                &run.runtime,
                (Piece::Message, run.judging),
                move |epoch, rows| {
                    let stages = judging.clone();
                    Box::pin(async move {
                        let mut out = Vec::new();
                        for rows in rows {
                            match is_tick(&rows) {
                                true => out.push(rows),
                                false => out.extend(stages.judge(epoch, rows).await?),
                            }
                        }
                        Ok(out)
                    })
                },
            );
            let updated = beside(
                judged,
                to_worker(0),
                "update",
                &faults,
                &run.runtime,
                (Piece::Epoch, 1),
                move |epoch, rows| {
                    let rows = rows.into_iter().filter(|rows| !is_tick(rows)).collect();
                    let written = updating.update(epoch, rows);
                    Box::pin(async move {
                        let mut out = written.await?;
                        out.push(mark(EPOCH, 0)?);
                        if epoch + lag < last {
                            for worker in 0..peers {
                                out.push(mark(TICK, worker)?);
                            }
                        }
                        Ok(out)
                    })
                },
            );
            only(updated.clone(), is_tick)
                .unary::<CapacityContainerBuilder<Batch>, _, _, _>(
                    to_worker_of(|rows| receiver(rows).unwrap_or_default()),
                    "publish",
                    |_capability, _info| {
                        |input, output| {
                            input.for_each(|time, batch| {
                                output.session(&time).give_container(batch);
                            });
                        }
                    },
                )
                .connect_loop(edge);
            let written = write(only(updated, |rows| !is_tick(rows)), &faults, writer);
            commit(written, &faults, schedule, committer, counted);
        });
        self.complete()?;
        let all = self.share(&commits.get().to_le_bytes())?;
        Ok(LiveReport {
            epochs: run.epochs - start,
            skipped: start,
            commits: (0..all.len()).map(|worker| number(&all, worker, 0)).sum(),
            seconds: began.elapsed().as_secs_f64(),
        })
    }
}

/// The row that allows a worker to sample an epoch.
const TICK: &str = "meed.tick";
/// The row that stands for an epoch on its way to be written, so that one without rows is one too.
pub(super) const EPOCH: &str = "meed.epoch";

fn mark(name: &str, worker: usize) -> Result<RecordBatch> {
    let worker: ArrayRef = Arc::new(UInt64Array::from(vec![worker as u64]));
    Ok(RecordBatch::try_from_iter([(name, worker)])?)
}

pub(super) fn is_mark(rows: &RecordBatch, mark: &str) -> bool {
    rows.schema_ref().fields().first().is_some_and(|field| field.name() == mark)
}

fn is_tick(rows: &RecordBatch) -> bool {
    is_mark(rows, TICK)
}

fn receiver(rows: &RecordBatch) -> Option<usize> {
    let workers = rows.column(0).as_primitive_opt::<UInt64Type>()?;
    workers.values().first().and_then(|worker| usize::try_from(*worker).ok())
}

/// Ticks of the epochs that need no update before them, for this worker.
fn ticks<'scope>(
    scope: Scope<'scope, u64>,
    faults: &Faults,
    epochs: std::ops::Range<u64>,
) -> Stream<'scope, u64, Batch> {
    let faults = faults.clone();
    timely_source(scope, "begin", move |capability, _info| {
        let mut held = Some(capability);
        move |output| {
            if let Some(mut capability) = held.take() {
                for epoch in epochs.clone() {
                    capability.downgrade(&epoch);
                    if let Some(tick) = faults.attempt("begin", epoch, || mark(TICK, 0)) {
                        output.session(&capability).give_container(&mut Batch(tick));
                    }
                }
            }
        }
    })
}

/// The messages for which `keep` holds.
fn only<'scope>(
    stream: Stream<'scope, u64, Batch>,
    keep: impl Fn(&RecordBatch) -> bool + 'static,
) -> Stream<'scope, u64, Batch> {
    stream.unary::<CapacityContainerBuilder<Batch>, _, _, _>(Pipeline, "only", move |_capability, _info| {
        move |input, output| {
            input.for_each(|time, batch| {
                if keep(&batch.0) {
                    output.session(&time).give_container(batch);
                }
            });
        }
    })
}

//! One call of a judge: it may hang, err, panic or answer nonsense, and each becomes a typed failure.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::{Failure, Judge, JudgeContext, Judged};
use crate::credit::{Level, ROLLOUT, TOKEN};
use crate::engine::panic_message;

/// What a judge answers.
pub(super) type Answer = Result<Vec<Option<f64>>, Failure>;

/// A call in flight; it ends with whoever waits for it.
struct Call(JoinHandle<Answer>);

impl Drop for Call {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Asks a judge about one row, on a task or thread of its own, and checks the answer. The time is
/// that of the call, in milliseconds. The outcome of a rollout that broke off for a reason that is not the
/// policy's is nobody's to judge: it is missing, and not wrong.
pub(super) async fn ask(
    judge: &Arc<dyn Judge>,
    batch: &RecordBatch,
    row: usize,
    context: &JudgeContext,
    deadline: Duration,
) -> (Answer, f64) {
    let began = Instant::now();
    if Level::named(judge.level()) == ROLLOUT
        && let Some(status @ ("aborted" | "error")) = (Judged { batch, row }).optional_text("status")
    {
        return (Err(Failure::Missing(format!("the rollout broke off: its status is `{status}`"))), 0.0);
    }
    let (own, rows, known) = (judge.clone(), batch.clone(), context.clone());
    let call = async move { own.judge(Judged { batch: &rows, row }, &known).await };
    let mut call = Call(match judge.blocks() {
        true => {
            let here = Handle::current();
            tokio::task::spawn_blocking(move || here.block_on(call))
        }
        false => tokio::spawn(call),
    });
    let answer = match tokio::time::timeout(deadline, &mut call.0).await {
        Err(_) => Err(Failure::Timeout(format!("no answer within {} s", deadline.as_secs_f64()))),
        Ok(Err(broken)) => Err(Failure::Error(match broken.try_into_panic() {
            Ok(panic) => format!("the judge panicked: {}", panic_message(&*panic)),
            Err(broken) => format!("the judge was stopped: {broken}"),
        })),
        Ok(Ok(answer)) => answer.and_then(|scores| checked(judge.as_ref(), Judged { batch, row }, scores)),
    };
    (answer, began.elapsed().as_secs_f64() * 1e3)
}

/// The scores, if there is one per element of the level and all of them are numbers.
fn checked(judge: &dyn Judge, rollout: Judged<'_>, scores: Vec<Option<f64>>) -> Answer {
    let level = Level::named(judge.level());
    let is_token = level == TOKEN;
    for (index, score) in scores.iter().enumerate() {
        let Some(score) = score else { continue };
        if !score.is_finite() || (is_token && !(*score as f32).is_finite()) {
            return Err(Failure::Invalid(format!("score {index} is {score}")));
        }
    }
    let wrong = |wanted: String| {
        Err(Failure::Invalid(format!("{} scores where there should be {wanted}", scores.len())))
    };
    match level.parts() {
        Some((outer, inner)) => {
            let outer_elements = rollout.elements(&outer)?;
            let fits = match outer_elements {
                0 => scores.is_empty(),
                _ if rollout.has_level(&inner) => {
                    scores.len() == outer_elements * rollout.elements(&inner)?
                }
                _ => scores.len().is_multiple_of(outer_elements),
            };
            if !fits {
                return wrong(format!("as many for each of {outer_elements} elements of {outer}"));
            }
        }
        // A level of items that the judge brings has as many as it says.
        None if !rollout.has_level(&level) => {}
        None => {
            let elements = rollout.elements(&level)?;
            if scores.len() != elements {
                return wrong(format!("{elements} at level {level}"));
            }
        }
    }
    Ok(scores)
}

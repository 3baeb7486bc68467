//! Judges that hang, err, panic and answer nonsense in a live run.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, AsArray};
use arrow::datatypes::Float64Type;
use async_trait::async_trait;
use meed_operators::columns::Table;
use meed_operators::engine::hash_group;
use meed_operators::judge::{Failure, Judge, JudgeContext, Judged};

use crate::runs::{EPOCHS, Setting, attempt, digits};
use crate::tables::Stored;

/// Right on four calls of five; the others fail, each in one of four ways.
struct Unreliable;

#[async_trait]
impl Judge for Unreliable {
    fn name(&self) -> &str {
        "unreliable"
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
        let text = |name: &str| {
            rollout.batch.column_by_name(name).unwrap().as_string::<i32>().value(rollout.row).to_owned()
        };
        match hash_group(0, &format!("{}/{}", text("group_id"), text("rollout_id"))) % 20 {
            0 => {
                tokio::time::sleep(Duration::from_secs(3600)).await;
                Ok(vec![Some(0.0)])
            }
            1 => Err(Failure::Error("the service said no".to_owned())),
            2 => panic!("the judge broke"),
            3 => Ok(vec![Some(f64::NAN)]),
            _ => Ok(vec![Some(1.0 + digits(rollout))]),
        }
    }
}

#[test]
fn a_run_with_a_judge_that_fails_completes_and_no_failure_is_a_zero() {
    let (stored, folder) = (Stored::default(), tempfile::tempdir().unwrap());
    let setting = Setting { workers: 2, staleness: 1, ..Setting::default() };
    let report = attempt(&setting, Arc::new(Unreliable), &stored, folder.path(), None).unwrap();
    assert_eq!(report.run.epochs, EPOCHS);

    let rollouts = stored.rows(Table::Rollouts);
    let rewards = rollouts.column_by_name("reward").unwrap().as_primitive::<Float64Type>();
    let reasons = rollouts.column_by_name("reward_status").unwrap().as_string::<i32>();
    let total = rewards.len();
    assert_eq!(total, EPOCHS as usize * 30);
    assert!((total / 10..total / 3).contains(&rewards.null_count()), "{} of {total}", rewards.null_count());
    assert!(rewards.iter().flatten().all(|reward| reward >= 1.0), "a failure became a score");
    for row in 0..total {
        assert_eq!(rewards.is_null(row), reasons.is_valid(row), "a missing reward says why");
    }

    let scores = stored.rows(Table::Scores);
    let values = scores.column_by_name("score").unwrap().as_primitive::<Float64Type>();
    let status = scores.column_by_name("status").unwrap().as_string::<i32>();
    let reason = scores.column_by_name("reason").unwrap().as_string::<i32>();
    let mut kinds = std::collections::BTreeMap::new();
    for row in 0..scores.num_rows() {
        *kinds.entry(status.value(row)).or_insert(0) += 1;
        assert_eq!(values.is_null(row), status.value(row) != "ok");
        assert!(values.is_valid(row) || (reason.is_valid(row) && !reason.value(row).is_empty()));
    }
    assert_eq!(kinds.len(), 4, "ok, deadline, error (said or panicked) and nonsense: {kinds:?}");

    let advantages = stored.rows(Table::Advantages);
    let in_loss = advantages.column_by_name("in_loss").unwrap().as_boolean();
    let missing = in_loss.iter().filter(|in_loss| *in_loss == Some(false)).count();
    assert_eq!(missing, rewards.null_count(), "what has no reward is not trained on");
}

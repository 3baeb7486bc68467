//! What makes a stored score stale: judge, version, parameters, and what the judge reads.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use async_trait::async_trait;
use meed_operators::judge::{Answered, Failure, Judge, JudgeContext, Judged, Judges};
use serde_json::{Value, json};

use super::rollouts::{block_on, rollouts};

struct Length {
    version: &'static str,
    parameters: Value,
}

#[async_trait]
impl Judge for Length {
    fn name(&self) -> &str {
        "length"
    }
    fn version(&self) -> &str {
        self.version
    }
    fn parameters(&self) -> Value {
        self.parameters.clone()
    }
    fn level(&self) -> &str {
        "rollout"
    }
    fn reads(&self) -> Vec<String> {
        vec!["response".into(), "step_kinds".into()]
    }
    async fn judge(&self, rollout: Judged<'_>, _: &JudgeContext) -> Result<Vec<Option<f64>>, Failure> {
        Ok(vec![Some(rollout.text("response")?.len() as f64)])
    }
}

fn judges(version: &'static str, parameters: Value) -> Judges {
    Judges::new(vec![Arc::new(Length { version, parameters })]).unwrap()
}

fn hashes(judges: &Judges, batch: &RecordBatch) -> Vec<String> {
    let judged = block_on(judges.judge(batch.clone(), &JudgeContext::default())).unwrap();
    judged.scores["input_hash"].as_string::<i32>().iter().map(|hash| hash.unwrap().to_owned()).collect()
}

fn with(batch: &RecordBatch, column: &str, values: ArrayRef) -> RecordBatch {
    let mut columns = batch.columns().to_vec();
    columns[batch.schema().index_of(column).unwrap()] = values;
    let fields = batch.schema().fields().clone();
    RecordBatch::try_from_iter_with_nullable(
        fields.iter().map(|field| field.name()).zip(columns).map(|(name, column)| (name, column, true)),
    )
    .unwrap()
}

#[test]
fn a_hash_depends_on_what_the_judgement_depends_on_and_on_nothing_else() {
    let batch = rollouts(12);
    let base = hashes(&judges("1", json!({"unit": "byte"})), &batch);
    assert_eq!(base.iter().collect::<BTreeSet<_>>().len(), 12);
    assert_eq!(base, hashes(&judges("1", json!({"unit": "byte"})), &batch));
    assert_eq!(base[5..], hashes(&judges("1", json!({"unit": "byte"})), &batch.slice(5, 7)));

    let other_status: StringArray = (0..12).map(|_| Some("truncated")).collect();
    let unread = with(&batch, "status", Arc::new(other_status));
    assert_eq!(base, hashes(&judges("1", json!({"unit": "byte"})), &unread));

    let mut responses: Vec<Option<&str>> = batch["response"].as_string::<i32>().iter().collect();
    responses[3] = None;
    responses[4] = Some("");
    let changed = with(&batch, "response", Arc::new(StringArray::from(responses)));
    let changed = hashes(&judges("1", json!({"unit": "byte"})), &changed);
    let differing: Vec<usize> = (0..12).filter(|&row| base[row] != changed[row]).collect();
    assert_eq!(differing, [3, 4]);
    assert_ne!(changed[3], changed[4], "null is not the empty text");

    for other in [judges("2", json!({"unit": "byte"})), judges("1", json!({"unit": "word"}))] {
        let other = hashes(&other, &batch);
        assert!(base.iter().zip(&other).all(|(one, other)| one != other));
    }
}

#[test]
fn what_is_known_is_not_asked() {
    let batch = rollouts(12);
    let judges = judges("1", Value::Null);
    let known = |question: meed_operators::judge::Question<'_>| {
        assert_eq!((question.judge, question.version, question.iteration), ("length", "1", 0));
        assert_eq!(question.input_hash.len(), 32);
        match question.rollout_id != "r7" && question.group_id != "g0" {
            true => Answered::Stored,
            false => Answered::No,
        }
    };
    let (scores, tallies) = block_on(judges.score(&batch, &JudgeContext::default(), known)).unwrap();
    let ids: Vec<_> = scores["rollout_id"].as_string::<i32>().iter().flatten().collect();
    assert_eq!(ids, ["r0", "r1", "r2", "r3", "r7"]);
    assert_eq!((tallies[0].asked, tallies[0].skipped, tallies[0].scores), (5, 7, 5));
}

#[test]
fn judges_have_different_names_and_rewards_are_of_rollouts() {
    let twice: Vec<Arc<dyn Judge>> = (0..2)
        .map(|_| Arc::new(Length { version: "1", parameters: Value::Null }) as Arc<dyn Judge>)
        .collect();
    assert!(Judges::new(twice).is_err());
    assert!(judges("1", Value::Null).reward("other").is_err());
    assert!(judges("1", Value::Null).reward("length").is_ok());
}

//! Scores at every level become signals under their names.

use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float32Type, Float64Type, Int32Type};
use async_trait::async_trait;
use meed_operators::judge::{Failure, Judge, JudgeContext, Judged, Judges};

use super::rollouts::{block_on, rollouts};

/// Numbers the elements of its level from 1, with no opinion on the second.
struct Numbers(&'static str);

#[async_trait]
impl Judge for Numbers {
    fn name(&self) -> &str {
        match self.0 {
            "turn.test" => "passed",
            level => level,
        }
    }
    fn version(&self) -> &str {
        "1"
    }
    fn level(&self) -> &str {
        self.0
    }
    fn reads(&self) -> Vec<String> {
        Vec::new()
    }
    async fn judge(&self, rollout: Judged<'_>, _: &JudgeContext) -> Result<Vec<Option<f64>>, Failure> {
        let elements = match self.0 {
            "turn.test" => 3 * rollout.elements(&"turn".into())?,
            level => rollout.elements(&level.into())?,
        };
        Ok((1..=elements).map(|number| (number != 2).then_some(number as f64)).collect())
    }
}

#[test]
fn signals_are_named_by_level_and_judge() {
    let levels = ["rollout", "turn", "step", "token", "turn.test"];
    let judges = levels.map(|level| Arc::new(Numbers(level)) as Arc<dyn Judge>).to_vec();
    let judged = block_on(Judges::new(judges).unwrap().judge(rollouts(3), &JudgeContext::default())).unwrap();
    let rows = &judged.rollouts;
    assert_eq!(rows["rollout"].as_primitive::<Float64Type>().values(), &[1.0; 3]);
    // Row 2: policy, observation, policy, observation.
    let steps = rows["step_step"].as_list::<i32>().value(2);
    let steps: Vec<_> = steps.as_primitive::<Float64Type>().iter().collect();
    assert_eq!(steps, [Some(1.0), None, Some(3.0), Some(4.0)]);
    assert_eq!(rows["turn_turn"].as_list::<i32>().value(2).len(), 2);
    let tokens = rows["token_token"].as_list::<i32>().value(2);
    assert_eq!(tokens.as_primitive::<Float32Type>().value(7), 8.0);
    let pairs = rows["turn_test_passed"].as_list::<i32>().value(2);
    let pairs: Vec<Vec<_>> = pairs
        .as_list::<i32>()
        .iter()
        .map(|tests| tests.unwrap().as_primitive::<Float64Type>().iter().collect())
        .collect();
    assert_eq!(pairs, [vec![Some(1.0), None, Some(3.0)], vec![Some(4.0), Some(5.0), Some(6.0)]]);

    // No opinion is an answer: null, with status ok.
    let scores = &judged.scores;
    let nulls: Vec<usize> = (0..scores.num_rows()).filter(|&row| scores["score"].is_null(row)).collect();
    assert!(!nulls.is_empty());
    let index = scores["index"].as_primitive::<Int32Type>();
    for row in nulls {
        assert_eq!(scores["status"].as_string::<i32>().value(row), "ok");
        assert_eq!(scores["reason"].as_string::<i32>().value(row), "no opinion");
        assert_eq!(index.value(row), 1);
    }
    assert_eq!(index.null_count(), 3, "scores of rollouts have no index");
}

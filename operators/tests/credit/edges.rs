//! Corners that random rollouts do not reach: shared expressions, null lists of lists, outputs that are null.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
};
use arrow::datatypes::Float32Type;
use meed_operators::credit::*;

use crate::arrays::{doubles, list, texts, whole};
use crate::data::Cell;
use crate::program::{cells, checked};

type Tests = Cell<Vec<Option<f64>>>;

/// Two rollouts of a group with two turns each and lists of tests per turn.
fn rollouts(more: Vec<(&'static str, ArrayRef)>) -> RecordBatch {
    let masks = [whole(&[true, true]), whole(&[true, true])];
    let ends = [whole(&[1usize, 2]), whole(&[1, 2])];
    let kinds = [
        whole(&["policy".to_owned(), "policy".to_owned()]),
        whole(&["policy".to_owned(), "user".to_owned()]),
    ];
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("iteration", Arc::new(Int64Array::from(vec![0, 0]))),
        ("group_id", Arc::new(StringArray::from(vec!["g", "g"]))),
        ("rollout_id", Arc::new(StringArray::from(vec!["r1", "r2"]))),
        ("reward", Arc::new(Float64Array::from(vec![1.0, 3.0]))),
        ("token_mask", list(&masks, |values| Arc::new(BooleanArray::from(values)))),
        ("turn_ends", list(&ends, crate::arrays::offsets)),
        ("turn_kinds", list(&kinds, texts)),
    ];
    columns.extend(more);
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))
        .unwrap()
}

fn tests(cells: &[Tests]) -> ArrayRef {
    list(cells, |values| list(&values, doubles))
}

fn assigned(credit: &Credit, batch: RecordBatch) -> meed_operators::Result<Assigned> {
    let checked = checked(credit, &batch)?;
    let assignment = Assignment { recipe: "test".into(), parameters: "{}".into(), checked };
    assignment.assign(&Unit::new(batch)?, &BatchStatistics::default())
}

/// A list of lists that is null, whole or in part, has a null wherever another column of its level
/// tells that there is an element.
#[test]
fn null_lists_of_lists() {
    let (a, b) = (Some(vec![Some(1.0), None]), Some(vec![Some(2.0)]));
    let batch = rollouts(vec![
        ("turn_test_count", list(&[whole(&[2.0, 1.0]), whole(&[1.0, 0.0])], doubles)),
        ("turn_test_passed", tests(&[Some(vec![None, b.clone()]), None])),
        ("turn_test_weights", tests(&[Some(vec![a.clone(), None]), Some(vec![b.clone(), Some(Vec::new())])])),
    ]);
    let credit = Credit::new()
        .define("passed", signal("turn_test_passed").or_else(-1.0))
        .define("weights", signal("turn_test_weights") * 2.0);
    let unit = Unit::new(batch.clone()).unwrap();
    let evaluated = evaluate(&checked(&credit, &batch).unwrap(), &unit, &BatchStatistics::default()).unwrap();
    let values = |name: &str| cells(&unit, evaluated.signal(name).unwrap());
    assert_eq!(values("passed"), [vec![Some(-1.0), Some(-1.0), Some(2.0)], vec![Some(-1.0)]]);
    assert_eq!(values("weights"), [vec![Some(2.0), None, None], vec![Some(4.0)]]);
    let uneven = rollouts(vec![
        ("turn_test_passed", tests(&[Some(vec![a.clone(), b.clone()]), None])),
        ("turn_test_weights", tests(&[Some(vec![b.clone(), b]), None])),
    ]);
    let unit = Unit::new(uneven.clone()).unwrap();
    let error = evaluate(&checked(&credit, &uneven).unwrap(), &unit, &BatchStatistics::default())
        .err()
        .unwrap()
        .to_string();
    assert_eq!(
        error,
        "rollout r1, column turn_test_weights: inner list 0 has 1 values, but another list of its level has 2"
    );
}

/// An expression that the baseline rule shares with the advantage is evaluated anew for it.
#[test]
fn shared_with_the_baseline_rule() {
    let center = mean(signal("reward"), group());
    let credit = Credit::new()
        .in_baseline(signal("reward").greater(center.clone()))
        .advantage(signal("reward") - center);
    let apart: Credit = serde_json::from_str(&serde_json::to_string(&credit).unwrap()).unwrap();
    for credit in [credit, apart] {
        let result = assigned(&credit, rollouts(Vec::new())).unwrap();
        assert_eq!(result.evaluated.in_baseline, [false, true]);
        assert_eq!(result.evaluated.signal("advantage").unwrap().as_numbers(), [-2.0, 0.0]);
    }
}

/// A null output at a trainable token keeps the rollout out of the loss and says which it was.
#[test]
fn null_outputs() {
    let known = || signal("reward").null_if(signal("reward").less(2.0));
    for name in ["advantage", "weights", "returns", "clip_low", "clip_high"] {
        let mut credit = Credit::new().define(name, known());
        if name != "advantage" {
            credit = credit.advantage(signal("reward"));
        }
        let rows = assigned(&credit, rollouts(Vec::new())).unwrap().rows;
        let truth = |column: &str| {
            rows.column_by_name(column).unwrap().as_boolean().iter().flatten().collect::<Vec<bool>>()
        };
        assert_eq!((truth("in_baseline"), truth("in_loss")), (vec![true, true], vec![false, true]), "{name}");
        let reasons = rows.column_by_name("reason").unwrap().as_string::<i32>().clone();
        assert_eq!((reasons.value(0), reasons.is_valid(1)), (format!("{name} is null").as_str(), false));
        let advantages = rows.column_by_name("token_advantages").unwrap().as_list::<i32>().values().clone();
        assert_eq!(advantages.as_primitive::<Float32Type>().values().to_vec(), [0.0, 0.0, 3.0, 3.0]);
    }
}

#[test]
fn faults_have_their_place() {
    let infinite = Credit::new().advantage(signal("reward") / (signal("reward") - 3.0));
    let error = assigned(&infinite, rollouts(Vec::new())).err().unwrap();
    assert_eq!(
        error.to_string(),
        "rollout r2, column advantage: test produced inf in signal `advantage` (rollout 1 of its unit)"
    );
    let batch_mean = Credit::new().advantage(signal("reward") - mean(signal("reward"), batch()));
    let error = assigned(&batch_mean, rollouts(Vec::new())).err().unwrap();
    assert_eq!(error.to_string(), "mean(reward, by(batch)): was not gathered over the batch");
    let outside = Credit::new().advantage(signal("reward").place(TOKEN, count(TOKEN), Reduction::Sum));
    let error = assigned(&outside, rollouts(Vec::new())).err().unwrap();
    assert_eq!(
        error.to_string(),
        "rollout r1, column token: position 2 lies outside the 2 tokens of the rollout"
    );
    let elsewhere =
        Credit::new().advantage(send(signal("reward"), text("r1"), Some(count(TOKEN)), Reduction::Sum));
    let error = assigned(&elsewhere, rollouts(Vec::new())).err().unwrap();
    assert_eq!(
        error.to_string(),
        "rollout r1, column position: token 2 lies outside the 2 tokens of the rollout that receives it"
    );
}

/// A trainable token that lies in no span has no advantage: the rollout is not trained on, and says
/// why.
#[test]
fn trainable_tokens_between_spans() {
    let batch = rollouts(vec![
        ("slice_starts", list(&[whole(&[0usize]), whole(&[0, 1])], crate::arrays::offsets)),
        ("slice_ends", list(&[whole(&[1usize]), whole(&[1, 2])], crate::arrays::offsets)),
        ("slice_scores", list(&[whole(&[0.5]), whole(&[0.25, 0.75])], doubles)),
    ]);
    let rows = assigned(&Credit::new().advantage(signal("slice_scores") * 2.0), batch).unwrap().rows;
    let in_loss = rows["in_loss"].as_boolean();
    assert!(!in_loss.value(0) && in_loss.value(1), "the first rollout has a token that no slice covers");
    assert_eq!(rows["reason"].as_string::<i32>().value(0), "advantage is null");
    let values = rows["token_advantages"].as_list::<i32>();
    assert_eq!(values.value(1).as_primitive::<Float32Type>().values().to_vec(), [0.5, 1.5]);
    assert_eq!(values.value(0).as_primitive::<Float32Type>().values().to_vec(), [0.0, 0.0]);
}

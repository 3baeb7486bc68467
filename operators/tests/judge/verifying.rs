//! Verifiers as judges of batches: verdicts, opinions that are absent, and what is missing.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListBuilder, RecordBatch, StringArray, StringBuilder};
use arrow::datatypes::Float64Type;
use meed_operators::columns::complete;
use meed_operators::judge::verifiers::{
    Answer, Calculator, Exact, JsonSchema, MultipleChoice, Numeric, Passed, Pattern,
};
use meed_operators::judge::{Judge, JudgeContext, Judges};
use serde_json::json;

use super::rollouts::block_on;

fn texts(rows: &[&[Option<&str>]]) -> ArrayRef {
    let mut lists = ListBuilder::new(StringBuilder::new());
    for row in rows {
        row.iter().for_each(|text| lists.values().append_option(*text));
        lists.append(true);
    }
    Arc::new(lists.finish())
}

/// Three rollouts: right, wrong, and one without response and reference.
fn batch() -> RecordBatch {
    let text = |values: [Option<&str>; 3]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
    let tests = r#"{"tests": [{"input": 1, "output": 1}, {"input": "3", "output": "9"}]}"#;
    let columns = [
        ("group_id", text([Some("g"); 3])),
        ("rollout_id", text([Some("a"), Some("b"), Some("c")])),
        ("response", text([Some("1 -> 1\nA: $1,200 (B)"), Some("{\"a\": 1}"), None])),
        ("reference", text([Some("1200 (B)"), Some("7 (C)"), None])),
        ("metadata", text([Some(tests), Some(tests), None])),
        (
            "step_texts",
            texts(&[
                &[Some("1 -> 1\n<<1+1=2>>"), Some("<<1+1=3>>"), Some("1 => 1\n3 => 9")],
                &[Some("<<1+1=3>>"), Some("tool"), Some("nothing")],
                &[None],
            ]),
        ),
        (
            "step_kinds",
            texts(&[
                &[Some("policy"), Some("observation"), Some("policy")],
                &[Some("policy"), Some("observation"), Some("policy")],
                &[Some("policy")],
            ]),
        ),
    ];
    complete(
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap(),
        "memory",
    )
    .unwrap()
}

/// Score and status of every row of the scores table.
fn said(judge: impl Judge + 'static) -> Vec<(Option<f64>, String)> {
    let judges = Judges::new(vec![Arc::new(judge)]).unwrap();
    let judged = block_on(judges.judge(batch(), &JudgeContext::default())).unwrap();
    let scores = judged.scores["score"].as_primitive::<Float64Type>().iter();
    let statuses = judged.scores["status"].as_string::<i32>().iter();
    scores.zip(statuses).map(|(score, status)| (score, status.unwrap().to_owned())).collect()
}

fn row(score: impl Into<Option<f64>>, status: &str) -> (Option<f64>, String) {
    (score.into(), status.to_owned())
}

#[test]
fn wrong_is_zero_and_missing_is_null() {
    let after = Answer::After("A:".into());
    let verdicts = [row(1.0, "ok"), row(0.0, "ok"), row(None, "missing")];
    assert_eq!(said(Numeric { answer: after.clone(), ..Numeric::default() }), verdicts);
    assert_eq!(said(MultipleChoice::new(after.clone(), "ABC").unwrap()), verdicts);
    assert_eq!(said(Pattern::new(r"(?m)^A: \$", "rollout").unwrap()), verdicts);
    let not_equal = [row(0.0, "ok"), row(0.0, "ok"), row(None, "missing")];
    assert_eq!(said(Exact { answer: after, ..Exact::default() }), not_equal);
    let json = JsonSchema::new(Answer::Whole, json!({"required": ["a"]})).unwrap();
    assert_eq!(said(json), [row(0.0, "ok"), row(1.0, "ok"), row(None, "missing")]);
}

#[test]
fn steps_are_checked_one_by_one() {
    // What the tool says is no calculation of the policy's, though it is wrong.
    assert_eq!(
        said(Calculator::default()),
        [
            row(1.0, "ok"),
            row(None, "ok"),
            row(None, "ok"),
            row(0.0, "ok"),
            row(None, "ok"),
            row(None, "ok"),
            row(None, "ok"),
        ]
    );
    // Steps of the policy without a calculation get the other score; a step without text has none.
    let otherwise: Vec<Option<f64>> =
        said(Calculator { otherwise: Some(0.5) }).into_iter().map(|(score, _)| score).collect();
    assert_eq!(otherwise, [Some(1.0), None, Some(0.5), Some(0.0), None, Some(0.5), None]);
    assert_eq!(
        said(Pattern::new("^<<", "step").unwrap())[..4],
        [row(0.0, "ok"), row(None, "ok"), row(0.0, "ok"), row(1.0, "ok")]
    );
}

#[test]
fn tests_are_passed_per_test_and_per_turn() {
    let of_rollouts = said(Passed::new("test").unwrap());
    assert_eq!(
        of_rollouts,
        [row(1.0, "ok"), row(0.0, "ok"), row(0.0, "ok"), row(0.0, "ok"), row(None, "missing")]
    );
    let judges = Judges::new(vec![Arc::new(Passed::new("turn.test").unwrap())]).unwrap();
    let judged = block_on(judges.judge(batch(), &JudgeContext::default())).unwrap();
    let pairs = judged.rollouts["turn_test_passed"].as_list::<i32>();
    let of = |row: usize| -> Vec<Vec<f64>> {
        let turns = pairs.value(row);
        turns
            .as_list::<i32>()
            .iter()
            .map(|t| t.unwrap().as_primitive::<Float64Type>().values().to_vec())
            .collect()
    };
    assert_eq!(of(0), [[1.0, 0.0], [1.0, 1.0]]);
    assert_eq!(of(1), [[0.0, 0.0], [0.0, 0.0]]);
    assert!(pairs.is_null(2));
    assert!(Passed::new("step").is_err());
}

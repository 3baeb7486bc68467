//! SIOP: the section's check, rollouts without an answer, and how answers are clustered.

use serde_json::{Value, json};

use super::{of_policy, short_turns, with, with_turns};
use crate::support::{advantages, close, given, in_loss, signal};

fn answered(answer: Value, evidence: f64, prompt: Option<f64>, logprobs: &[f64]) -> Value {
    let lists: Vec<Value> = logprobs.iter().map(|&logprob| json!([logprob])).collect();
    let lists = if prompt.is_some() { lists } else { vec![json!([])] };
    let row = with_turns(short_turns(lists.len()), "step_reference_logprobs", &lists);
    let row = with(row, "prompt_reference_logprobs", prompt.into_iter().collect());
    let row = with(row, "observation_evidence", json!([evidence]));
    let row = with(row, "prompt_ids", json!([3, 1, 4, 1, 5]));
    with(with(row, "answer", answer), "reward", json!(0))
}

fn section() -> Value {
    json!([
        answered(json!("4"), 0.6, Some(-3.0), &[-1.5, -0.5]),
        answered(json!("4"), 0.6, Some(-3.0), &[-2.0, -1.0]),
        answered(json!("5"), 0.3, None, &[]),
    ])
}

fn equal() -> Value {
    json!({"equivalence": "equal"})
}

#[test]
fn the_sections_rewards_and_advantages() {
    let given = given("siop", equal(), section());
    close(&signal(&given, "r0", "cluster_weights"), &[0.729709]);
    close(&signal(&given, "r2", "cluster_weights"), &[0.270291]);
    close(&signal(&given, "r0", "turn_rewards"), &[1.094564, 1.094564]);
    close(&signal(&given, "r1", "turn_rewards"), &[0.729709, 1.094564]);
    close(&signal(&given, "r2", "turn_rewards"), &[0.135145]);
    close(&of_policy(advantages(&given, "r0")), &[1.263663, 0.631832]);
    close(&of_policy(advantages(&given, "r1")), &[0.393274, 0.631832]);
    close(&of_policy(advantages(&given, "r2")), &[-1.656936]);
}

#[test]
fn a_rollout_without_an_answer_has_rewards_of_zero_that_count() {
    for none in [Value::Null, json!(""), json!(" \n")] {
        let mut rows = section();
        rows[2] = answered(none, 0.3, None, &[]);
        let given = given("siop", equal(), rows);
        close(&signal(&given, "r0", "cluster_weights"), &[1.0]);
        close(&signal(&given, "r2", "turn_rewards"), &[0.0]);
        assert!(in_loss(&given, "r2") && advantages(&given, "r2")[0] < 0.0);
    }
}

#[test]
fn a_group_that_agrees_on_nothing_new_has_no_advantage() {
    let row = || answered(json!("4"), 0.5, Some(-1.0), &[-1.0]);
    let given = given("siop", equal(), json!([row(), row()]));
    close(&advantages(&given, "r0"), &[0.0]);
}

#[test]
fn entailment_both_ways_makes_a_cluster() {
    let row = |answer: &str, labels: Value| {
        let row = answered(json!(answer), 0.5, Some(-1.0), &[-0.5]);
        with(with(row, "entailment_answers", json!(["4", "four", "5"])), "entailment_labels", labels)
    };
    let rows = json!([
        row("4", json!([2, 2, 0])),
        row("four", json!([2, 2, 0])),
        row("5", json!([0, 1, 2])),
        row("four", json!([null, 2, 0])),
    ]);
    let strict = given("siop", json!({}), rows);
    let weights = |id: &str| signal(&strict, id, "cluster_weights")[0];
    close(&[weights("r0"), weights("r1"), weights("r2")], &[2.0 / 3.0, 2.0 / 3.0, 1.0 / 3.0]);
    assert!(!in_loss(&strict, "r3"), "its equivalence to the first answer is not known");
}

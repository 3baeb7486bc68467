//! AEM, PBSD, R3-RAG and StepSearch: turns weighed by certainty, by evidence, by what they retrieved.

use serde_json::{Value, json};

use super::{actions, turns};
use crate::support::{advantages, close, given, in_loss, signal};

#[test]
fn aem_has_the_numbers_of_its_section() {
    let row = |reward: f64, entropies: [f64; 2]| {
        let columns =
            json!({"reward": reward, "token_entropies": [entropies[0], null, entropies[1], entropies[1]]});
        turns(&[1, 2], columns)
    };
    let rows = || json!([row(1.0, [0.2, 0.5]), row(0.0, [0.8, 0.3])]);
    let result = given("aem", json!({"scale": "none"}), rows());
    close(&signal(&result, "r0", "turn_modulation"), &[1.417991, 0.860055]);
    close(&signal(&result, "r1", "turn_modulation"), &[0.521650, 1.200304]);
    close(&advantages(&result, "r1"), &[-0.260825, 0.0, -0.600152, -0.600152]);
    // Without strength it is GRPO, and so it is where all turns are equally certain.
    let grpo = given("grpo", json!({}), rows());
    let plain = given("aem", json!({"lambda": 0}), rows());
    close(&advantages(&plain, "r0"), &advantages(&grpo, "r0"));
    let even = json!([row(1.0, [0.5, 0.5]), row(0.0, [0.5, 0.5])]);
    close(&advantages(&given("aem", json!({}), even), "r0"), &advantages(&grpo, "r0"));
}

fn scored(reward: f64, privileged: Value) -> Value {
    let columns = json!({
        "reward": reward,
        "token_old_logprobs": [-1.0, -0.5, -9.0, -0.8, -1.2],
        "token_privileged_logprobs": privileged,
    });
    turns(&[2, 2], columns)
}

#[test]
fn pbsd_has_the_numbers_of_its_section() {
    let teacher = || json!([-0.6, -0.4, -1.0, -1.0, -1.5]);
    let rows = json!([
        scored(1.0, teacher()),
        scored(-1.0, teacher()),
        scored(1.0, json!(null)),
        scored(-1.0, json!([-0.6, null, -1.0, -1.0, -1.5]))
    ]);
    let result = given("pbsd", json!({"scale": "none"}), rows);
    close(&signal(&result, "r0", "turn_evidence"), &[0.5, -0.5]);
    close(&signal(&result, "r0", "turn_support"), &[1.244919, 0.755081]);
    close(&signal(&result, "r1", "turn_support"), &[0.755081, 1.244919]);
    let third = 2.0 / 3.0;
    close(
        &advantages(&result, "r0"),
        &[third * 1.244919, third * 1.244919, 0.0, third * 0.755081, third * 0.755081],
    );
    // Without a verified answer nothing is weighed; a token without a score leaves the rollout out.
    close(&advantages(&result, "r2"), &[third, third, 0.0, third, third]);
    assert!(!in_loss(&result, "r3"));
}

#[test]
fn pbsd_is_grpo_where_the_answer_changes_nothing() {
    let same = || json!([-1.0, -0.5, -9.0, -0.8, -1.2]);
    let rows = || json!([scored(1.0, same()), scored(0.0, same())]);
    let result = given("pbsd", json!({"renormalise": true}), rows());
    close(&advantages(&result, "r1"), &advantages(&given("grpo", json!({}), rows()), "r1"));
}

fn searched(reward: f64, answered: bool, relevance: Value) -> Value {
    let steps = relevance.as_array().unwrap().len();
    let columns = json!({
        "reward": reward, "answered": answered, "step_relevance": relevance,
        "token_values": vec![0.0; steps],
    });
    actions(&vec![1; steps], columns)
}

#[test]
fn r3_rag_has_the_numbers_of_its_section() {
    let mut broken = searched(1.0, true, json!([0.8, 0.3, null]));
    broken["step_format_ok"] = json!([true, true, false]);
    let mut fine = [
        searched(1.0, true, json!([0.8, 0.3, null])),
        searched(0.0, true, json!([0.8, 0.3, null])),
        searched(0.0, false, json!([0.8, 0.3])),
        searched(1.0, true, json!([null, 0.3, null])),
    ];
    for row in &mut fine {
        let steps = row["step_ends"].as_array().unwrap().len();
        row["step_format_ok"] = json!(vec![true; steps]);
    }
    let [right, wrong, open, unknown] = fine;
    let result = given("r3_rag", json!({}), json!([right, wrong, open, unknown, broken]));
    let rewards = |rollout: &str| signal(&result, rollout, "step_shaped_rewards");
    close(&rewards("r0"), &[1.28, 0.48, 2.0]);
    close(&rewards("r1"), &[0.64, 0.24, 0.0]);
    close(&rewards("r2"), &[0.72, 0.27]);
    close(&rewards("r4"), &[0.8, 0.3, -0.9]);
    assert!(!in_loss(&result, "r3"));
}

fn searches(similarities: Value, documents: Value) -> Value {
    let steps = similarities.as_array().unwrap().len();
    let searched: Vec<bool> =
        similarities.as_array().unwrap().iter().map(|list| list != &json!([])).collect();
    let columns = json!({
        "reward": 1.0, "step_searched": searched, "step_gold_similarities": similarities,
        "step_document_ids": documents, "token_values": vec![0.0; steps],
    });
    actions(&vec![1; steps], columns)
}

#[test]
fn step_search_has_the_numbers_of_its_section() {
    let similarities = json!([[0.2, 0.0], [], [0.5, 0.3], [0.1, 0.4]]);
    let documents = json!([["a", "b"], [], ["c", "b", "d"], ["d", "e"]]);
    let mut missing = searches(json!([[0.2, 0.0], [0.5, 0.3]]), json!([["a"], ["b"]]));
    missing["step_gold_similarities"][1] = json!(null);
    let rows = json!([searches(similarities, documents), missing]);
    let result = given("step_search", json!({"whiten": "none"}), rows);
    close(&signal(&result, "r0", "step_gain"), &[0.1, 0.0, 0.3, 0.05]);
    close(&signal(&result, "r0", "step_redundancy"), &[0.0, 0.0, 1.0 / 3.0, 0.5]);
    close(&signal(&result, "r0", "step_shaped_rewards"), &[0.1, 0.0, -0.0333333333, -0.45]);
    close(&advantages(&result, "r0")[2..], &[1.0 - 0.45 - 0.0333333333, 1.0 - 0.45]);
    assert!(!in_loss(&result, "r1"));
}

#[test]
fn r3_rag_estimates_every_step_by_itself() {
    let mut row = searched(1.0, true, json!([0.5, null]));
    row["step_ends"] = json!([2, 3]);
    row["token_mask"] = json!([true, true, true]);
    row["token_values"] = json!([0.1, 0.2, 0.4]);
    let settings = json!({"gamma": 0.9, "lam": 0.5, "whiten": "none"});
    let result = given("r3_rag", settings, json!([row]));
    let last = 0.8 - 0.2;
    close(&advantages(&result, "r0"), &[0.9 * 0.2 - 0.1 + 0.45 * last, last, 2.0 - 0.4]);
}

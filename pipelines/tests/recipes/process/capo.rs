use serde_json::{Value, json};

use super::{advantages, in_loss, lacks, signal, steps};
use crate::support::{close, given};

fn pair(critiques: [Value; 2]) -> Value {
    let [a, b] = critiques;
    json!([
        steps(&[1, 2], json!({ "reward": 1.0, "step_critique_correct": a })),
        steps(&[1, 1], json!({ "reward": 0.0, "step_critique_correct": b })),
    ])
}

#[test]
fn tokens_of_the_group_are_one_pool() {
    let rows = pair([json!([[true], [false]]), json!([[true], [false]])]);
    for (ddof, a, b) in [
        (0, [1.3728129, 0.3922323, 0.3922323], [-0.5883484, -1.5689291]),
        (1, [1.2278812, 0.3508232, 0.3508232], [-0.5262348, -1.4032928]),
    ] {
        let given = given("capo", json!({ "ddof": ddof, "eps": 0 }), rows.clone());
        close(&signal(&given, "r0", "token_rewards"), &[2.0, 1.0, 1.0]);
        close(&signal(&given, "r1", "token_rewards"), &[0.0, -1.0]);
        close(&advantages(&given, "r0"), &a);
        close(&advantages(&given, "r1"), &b);
    }
}

#[test]
fn critiques_vote_in_five_ways() {
    // Four critiques call wrong the sets {2}, {2, 3}, {2}, {3}.
    let critiques =
        json!([[true, true, true, true], [false, false, false, true], [true, false, true, false]]);
    let row = |critiques: Value| {
        json!([steps(
            &[1, 1, 1],
            json!({ "reward": 1.0, "step_critique_correct": critiques, "step_correct": [true, false, true] })
        )])
    };
    for (vote, wrong) in [
        ("intersection", [0.0, 0.0, 0.0]),
        ("majority", [0.0, 1.0, 1.0]),
        ("union", [0.0, 1.0, 1.0]),
        ("average", [0.0, 0.75, 0.5]),
        ("greedy", [0.0, 1.0, 0.0]),
    ] {
        let given = given("capo", json!({ "vote": vote }), row(critiques.clone()));
        close(&signal(&given, "r0", "step_wrong"), &wrong);
    }
    // A critique that could not be parsed calls no step wrong.
    let unparsed = json!([[null, true], [null, false], [null, false]]);
    let given_average = given("capo", json!({ "vote": "average" }), row(unparsed.clone()));
    close(&signal(&given_average, "r0", "step_wrong"), &[0.0, 0.5, 0.5]);
    close(&signal(&given("capo", json!({}), row(unparsed)), "r0", "step_wrong"), &[0.0; 3]);
}

#[test]
fn without_wrong_steps_it_is_grpo_over_the_tokens() {
    let rows = json!([
        steps(&[1, 1], json!({ "reward": 1.0, "step_critique_correct": [[true], [true]] })),
        steps(&[2], json!({ "reward": 0.0, "step_critique_correct": [[true]] })),
        steps(&[2], json!({ "reward": 0.0, "step_critique_correct": [[true]] })),
    ]);
    let settings = json!({ "ddof": 0, "eps": 0 });
    let (capo, grpo) = (given("capo", settings.clone(), rows.clone()), given("grpo", settings, rows));
    for rollout in ["r0", "r1", "r2"] {
        close(&advantages(&capo, rollout), &advantages(&grpo, rollout));
    }
    let equal = pair([json!([[true], [true]]), json!([[true], [true]])]);
    let mut equal = equal.as_array().unwrap().clone();
    equal[1]["reward"] = json!(1.0);
    close(&advantages(&given("capo", json!({}), json!(equal)), "r0"), &[0.0; 3]);
}

#[test]
fn a_step_without_any_critique_takes_its_rollout_out() {
    let rows = pair([json!([[true], []]), json!([[true], [false]])]);
    let given = given("capo", json!({ "eps": 0, "ddof": 0 }), rows);
    assert!(!in_loss(&given, "r0"));
    close(&advantages(&given, "r1"), &[1.0, -1.0]);
}

#[test]
fn the_error_of_a_missing_column_names_its_provider() {
    let bare = json!([steps(&[1], json!({ "reward": 1.0 }))]);
    lacks("capo", json!({}), bare.clone(), "step_critique_correct", "asked several times");
    lacks("capo", json!({ "vote": "greedy" }), bare, "step_correct", "process judge");
}

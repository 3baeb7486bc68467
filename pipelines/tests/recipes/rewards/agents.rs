//! Search-R2, AdaSearch, Med-R3, OpAgent and PRE-GRPO: rewards of agents that search, browse and draw.

use serde_json::{Value, json};

use super::of_all;
use crate::support::{advantages, close, given, in_loss, try_given};

fn all_advantages(given: &meed_pipelines::InMemory, count: usize) -> Vec<f64> {
    (0..count).flat_map(|number| advantages(given, &format!("r{number}"))).collect()
}

#[test]
fn search_r2_has_the_numbers_of_its_section() {
    let row = |reward: f64, useful: Value| json!({"reward": reward, "chunk_useful": useful});
    let rows = || {
        json!([
            row(1.0, json!([true, false])),
            row(1.0, json!([])),
            row(0.0, json!([true])),
            row(0.0, json!([true, false, false, false, false])),
        ])
    };
    let result = given("search_r2", json!({}), rows());
    close(&of_all(&result, "rewards", 4), &[1.5, 1.0, 0.0, 0.0]);
    close(&all_advantages(&result, 4), &[1.166665, 0.499999, -0.833332, -0.833332]);
    let sum = given("search_r2", json!({"combine": "sum", "density_weight": 0.5}), rows());
    close(&of_all(&sum, "rewards", 4), &[1.25, 1.0, 0.5, 0.1]);
    // Without the density it is GRPO.
    let plain = given("search_r2", json!({"density_weight": 0.0}), rows());
    close(&all_advantages(&plain, 4), &all_advantages(&given("grpo", json!({}), rows()), 4));
    let unknown = given("search_r2", json!({}), json!([row(1.0, json!([null, true])), row(0.0, json!([]))]));
    assert_eq!([in_loss(&unknown, "r0"), in_loss(&unknown, "r1")], [false, true]);
}

#[test]
fn adasearch_rewards_the_right_decision() {
    let row = |searches: bool, rate: f64| json!({"decided_search": searches, "parametric_pass_rate": rate});
    // Three hits, one false alarm, two misses.
    let rows = json!([
        row(false, 0.75),
        row(false, 0.5),
        row(false, 1.0),
        row(false, 0.25),
        row(true, 0.75),
        row(true, 0.5),
        row(true, 0.25),
    ]);
    let result = given("adasearch", json!({}), rows);
    close(&of_all(&result, "rewards", 7), &[1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
    close(&of_all(&result, "decision_f1", 1), &[0.666667]);
    // A response of broken format states no decision, and is wrong; a decision that is not known is left out.
    let stated = |ok: bool, decided: Value| {
        let mut row = row(true, 0.25);
        row["format_ok"] = json!(ok);
        row["decided_search"] = decided;
        row
    };
    let rows = json!([
        stated(false, Value::Null),
        stated(false, json!(true)),
        stated(true, json!(true)),
        stated(true, Value::Null)
    ]);
    let result = given("adasearch", json!({"scale": "none"}), rows);
    close(&of_all(&result, "rewards", 3), &[0.0, 0.0, 1.0]);
    let third = 1.0 / 3.0;
    close(&all_advantages(&result, 3), &[-third, -third, 2.0 * third]);
    assert!(!in_loss(&result, "r3"));
}

#[test]
fn adasearch_first_compares_inside_each_prompt() {
    let row = |mode: &str, reward: f64| json!({"prompt_mode": mode, "reward": reward});
    let rows =
        json!([row("parametric", 1.0), row("parametric", 0.0), row("search", 1.0), row("search", 1.0)]);
    let result = given("adasearch", json!({"stage": "modes", "scale": "none"}), rows);
    close(&all_advantages(&result, 4), &[0.5, -0.5, 0.0, 0.0]);
}

#[test]
fn med_r3_has_the_numbers_of_its_section() {
    let row = || json!({"reasoning_score": 0.8, "retrieval_score": 0.5, "answer_score": 1.0});
    for (stage, wanted) in [(1, 1.8), (2, 1.5), (3, 2.3)] {
        let result = given("med_r3", json!({"stage": stage}), json!([row()]));
        close(&of_all(&result, "rewards", 1), &[wanted]);
    }
    let at = |iteration: i64| {
        let mut row = row();
        row["iteration"] = json!(iteration);
        of_all(&given("med_r3", json!({"schedule": [10, 20]}), json!([row])), "rewards", 1)
    };
    close(&[at(9), at(10), at(20)].concat(), &[1.8, 1.5, 2.3]);
    let unread = |reasoning: Value, retrieval: Value| json!({"reasoning_score": reasoning, "retrieval_score": retrieval, "answer_score": 1.0, "iteration": 0});
    let rows = json!([unread(json!(0.5), Value::Null), unread(Value::Null, json!(0.5))]);
    let scheduled = given("med_r3", json!({"schedule": [10, 20]}), rows);
    close(&of_all(&scheduled, "rewards", 1), &[1.5]);
    assert_eq!([in_loss(&scheduled, "r0"), in_loss(&scheduled, "r1")], [true, false]);
    // A score of weight 0 is not missed.
    let first = given("med_r3", json!({"stage": 1}), json!([{"reasoning_score": 0.5, "answer_score": 0.0}]));
    close(&of_all(&first, "rewards", 1), &[0.5]);
    assert!(try_given("med_r3", json!({"joint_stage": [1, 1]}), json!([row()])).is_err());
}

#[test]
fn opagent_has_the_numbers_of_its_section() {
    let row = |reward: Value, progress: Value| {
        json!({
            "reward": reward, "step_progress": progress,
            "token_mask": [true, true], "step_ends": [1, 2], "step_kinds": ["policy", "policy"],
        })
    };
    let rows = || json!([row(json!(1.0), json!([0.2, 0.4])), row(json!(0.0), json!([0.0, 0.1]))]);
    let result = given("opagent", json!({}), rows());
    close(&of_all(&result, "rewards", 2), &[1.15, 0.025]);
    let advantage = 0.5625 / (0.5625 * 2f64.sqrt() + 1e-6);
    close(&all_advantages(&result, 2), &[advantage, advantage, -advantage, -advantage]);
    let unjudged = || json!([row(json!(null), json!([0.2, 0.4])), row(json!(0.0), json!([0.0, null]))]);
    let result = given("opagent", json!({}), unjudged());
    assert!(!in_loss(&result, "r0") && !in_loss(&result, "r1"));
    let result = given("opagent", json!({"without_verdict": "progress"}), unjudged());
    close(&of_all(&result, "rewards", 1), &[0.15]);
}

#[test]
fn pre_grpo_has_the_numbers_of_its_section() {
    let row = |quality: &[f64]| {
        let turns = quality.len();
        let kinds: Vec<&str> = (0..2 * turns - 1).map(|at| ["policy", "environment"][at % 2]).collect();
        let mask: Vec<bool> = kinds.iter().map(|kind| *kind == "policy").collect();
        let ends: Vec<usize> = (1..=mask.len()).collect();
        json!({"turn_quality": quality, "step_kinds": kinds, "step_ends": ends, "token_mask": mask})
    };
    let rows = json!([row(&[0.4, 0.8, 0.6]), row(&[0.5, 0.7]), row(&[0.9])]);
    let result = given("pre_grpo", json!({}), rows.clone());
    close(&of_all(&result, "rewards", 3), &[0.55, 0.675, 0.9]);
    let first = ["r0", "r1", "r2"].map(|rollout| advantages(&result, rollout)[0]);
    close(&first, &[-0.892693, -0.187935, 1.080628]);
    let one_turn = given("pre_grpo", json!({"max_turns": 1}), json!([row(&[0.9])]));
    close(&of_all(&one_turn, "rewards", 1), &[0.9]);
    let two_turns = given("pre_grpo", json!({"max_turns": 1}), json!([row(&[0.9, 0.7])]));
    close(&of_all(&two_turns, "efficiency_cost", 1), &[0.0]);
}

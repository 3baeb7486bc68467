use serde_json::{Value, json};

use super::{advantages, in_loss, lacks, signal, steps};
use crate::support::{close, given};

/// The section's responses A and B.
fn pair() -> Value {
    json!([
        steps(&[2, 2], json!({ "reward": 1.0, "step_rewards": [0.8, -0.6] })),
        steps(&[3], json!({ "reward": 0.0, "step_rewards": [0.5] })),
    ])
}

#[test]
fn softmin_weights_leave_the_worst_step() {
    for (scores, weighted) in [
        ([0.8, -0.6, 0.4], [0.0000006652, -0.5999723, 0.0000181591]),
        ([0.2, 0.1, 0.15], [0.0372647, 0.0506480, 0.0460794]),
    ] {
        let row = steps(&[1, 1, 1], json!({ "reward": 1.0, "step_rewards": scores }));
        let settings = json!({ "branch": "openrlhf", "kl_coef": 0 });
        close(&signal(&given("pure", settings, json!([row])), "r0", "step_weighted_rewards"), &weighted);
        let settings = json!({ "kl_coef": 0, "signals": "process" });
        let [a, b, c] = weighted;
        let returns = signal(&given("pure", settings, json!([row])), "r0", "returns");
        close(&returns, &[a + b + c, b + c, c]);
    }
}

#[test]
fn both_branches_and_the_strict_minimum_give_the_numbers_of_the_section() {
    let given_verl = given("pure", json!({ "kl_coef": 0 }), pair());
    close(&signal(&given_verl, "r0", "token_rewards"), &[0.0, 0.0000006652, 0.0, 0.4000005]);
    close(&signal(&given_verl, "r0", "returns"), &[0.4000012, 0.4000012, 0.4000005, 0.4000005]);
    close(&signal(&given_verl, "r0", "baseline"), &[0.375]);
    close(&signal(&given_verl, "r1", "baseline"), &[0.4000008]);
    let unwhitened = signal(&given_verl, "r0", "token_advantages_unwhitened");
    close(&unwhitened, &[0.0250012, 0.0250012, 0.0250005, 0.0250005]);
    close(&advantages(&given_verl, "r0"), &[-0.8017729, -0.8017729, -0.8017895, -0.8017895]);
    close(&advantages(&given_verl, "r1"), &[1.0690416; 3]);

    let strict = given("pure", json!({ "kl_coef": 0, "mode": "strict_min", "whiten": false }), pair());
    close(&advantages(&strict, "r0"), &[0.0, 0.0, 0.0, 0.4]);
    close(&advantages(&strict, "r1"), &[-0.1; 3]);

    let second = given("pure", json!({ "kl_coef": 0, "branch": "openrlhf" }), pair());
    close(&signal(&second, "r0", "process_reward"), &[-0.5999988]);
    close(&signal(&second, "r0", "token_rewards"), &[0.0, -0.1666660, 0.0, 0.2333338]);
    close(&signal(&second, "r1", "token_rewards"), &[0.0, 0.0, -0.2000006]);
    close(&signal(&second, "r0", "returns"), &[0.0666678, 0.0, 0.2333338, 0.0]);
    close(&advantages(&second, "r0"), &[0.4930496, 0.0, 1.3894897, 0.0]);
    close(&advantages(&second, "r1"), &[-0.9412697, -0.9412697, 0.0]);
}

#[test]
fn one_step_is_its_reward_in_every_mode() {
    let rows = json!([
        steps(&[2], json!({ "reward": 0.0, "step_rewards": [-0.3] })),
        steps(&[2], json!({ "reward": 0.0, "step_rewards": [-0.7] })),
    ]);
    for mode in ["approx_min", "sum", "strict_min"] {
        let settings = json!({ "mode": mode, "kl_coef": 0, "whiten": false });
        let given = given("pure", settings, rows.clone());
        close(&signal(&given, "r0", "returns"), &[-0.3, -0.3]);
        close(&advantages(&given, "r0"), &[0.4, 0.4]);
    }
}

#[test]
fn the_paper_keeps_the_outcome_out_of_the_baseline_per_token() {
    let given = given("pure", json!({ "branch": "paper", "kl_coef": 0, "whiten": false }), pair());
    // Process returns -0.5999988 twice and -0.5999995 twice, and 0.5 three times.
    let (a, b) = (1.0 - 1.5 / 4.0, -1.0 + (2.0 * 0.5999988 + 2.0 * 0.5999995) / 4.0);
    close(&advantages(&given, "r0"), &[a - 0.5999988, a - 0.5999988, a - 0.5999995, a - 0.5999995]);
    close(&advantages(&given, "r1"), &[b + 0.5; 3]);
}

#[test]
fn a_group_of_one_gets_nothing_and_poisons_nobody() {
    let mut rows = pair();
    let mut single = steps(&[2], json!({ "reward": 1.0, "step_rewards": [0.5] }));
    single["group_id"] = json!("alone");
    rows.as_array_mut().unwrap().push(single);
    let all = given("pure", json!({ "kl_coef": 0, "whiten": false }), rows.clone());
    close(&advantages(&all, "r2"), &[0.0, 0.0]);
    close(&advantages(&all, "r0"), &[0.0250012, 0.0250012, 0.0250005, 0.0250005]);
    for branch in ["verl", "paper", "openrlhf"] {
        let all = given("pure", json!({ "kl_coef": 0, "branch": branch }), rows.clone());
        assert!(advantages(&all, "r0").iter().all(|x| x.is_finite()), "{branch}");
    }
}

#[test]
fn a_rollout_with_a_missing_score_takes_no_part() {
    let mut rows = pair();
    let broken = steps(&[1, 1], json!({ "reward": 1.0, "step_rewards": [0.9, null] }));
    rows.as_array_mut().unwrap().push(broken);
    let given = given("pure", json!({ "kl_coef": 0, "whiten": false }), rows);
    assert!(!in_loss(&given, "r2"));
    close(&advantages(&given, "r0"), &[0.0250012, 0.0250012, 0.0250005, 0.0250005]);
}

#[test]
fn holes_empty_steps_and_rollouts_without_steps_work() {
    let rows = json!([
        // The environment's step has no score and no trainable token.
        {
            "reward": 1.0, "token_mask": [true, false, true], "step_ends": [1, 2, 3],
            "step_kinds": ["action", "environment", "action"], "step_rewards": [0.5, null, -0.5],
        },
        { "reward": 0.0, "token_mask": [true, true, true], "step_ends": [], "step_kinds": [], "step_rewards": [] },
    ]);
    let first = given("pure", json!({ "kl_coef": 0, "mode": "sum", "whiten": false }), rows.clone());
    close(&advantages(&first, "r0"), &[1.0, 0.0, 0.5]);
    close(&advantages(&first, "r1"), &[-0.5; 3]);
    let second = given("pure", json!({ "kl_coef": 0, "branch": "openrlhf" }), rows);
    assert!(in_loss(&second, "r0") && in_loss(&second, "r1"));
    // Both tokens end a step.
    close(&advantages(&second, "r0"), &[0.0, 0.0, 0.0]);
}

#[test]
fn an_unchecked_rollout_is_neutral_in_the_second_release() {
    let rows = json!([
        steps(&[2], json!({ "reward": 1.0, "step_rewards": [0.5] })),
        steps(&[2], json!({ "reward": null, "step_rewards": [0.5] })),
    ]);
    let second = given("pure", json!({ "kl_coef": 0, "branch": "openrlhf" }), rows.clone());
    assert!(in_loss(&second, "r1"));
    close(&signal(&second, "r1", "token_rewards"), &signal(&second, "r0", "token_rewards"));
    let first = given("pure", json!({ "kl_coef": 0 }), rows);
    assert!(!in_loss(&first, "r1"));
}

#[test]
fn the_error_of_a_missing_column_names_its_provider() {
    let bare = json!([{ "reward": 1.0, "token_mask": [true], "token_old_logprobs": [0.0] }]);
    lacks("pure", json!({ "signals": "outcome" }), bare.clone(), "token_ref_logprobs", "kl_coef=0");
    lacks("pure", json!({ "kl_coef": 0 }), bare, "step_rewards", "process reward model");
}

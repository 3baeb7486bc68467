//! MA-RLHF: the section's check, what its terminations give, and how it reduces to GAE and to a bandit.

use serde_json::{Value, json};

use crate::support::{advantages, close, given, in_loss, list, signal, try_given};

/// Rewards of tokens are given by the divergence: coefficient 1, reference 0.
fn of_section(settings: Value) -> meed_pipelines::InMemory {
    let mut all = json!({"ngram": 2, "kl_coef": 1});
    all.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    given(
        "ma_rlhf",
        all,
        json!([{
            "reward": 1.0,
            "token_values": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
            "token_old_logprobs": [0.01, 0.02, 0.0, 0.03, 0.01, 0.0],
            "token_ref_logprobs": [0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        }]),
    )
}

#[test]
fn the_sections_check() {
    let given = of_section(json!({}));
    close(&signal(&given, "r0", "macro_starts"), &[0.0, 2.0, 4.0, 5.0]);
    close(&signal(&given, "r0", "macro_sizes"), &[2.0, 2.0, 1.0, 1.0]);
    close(&signal(&given, "r0", "macro_values"), &[0.15, 0.35, 0.5, 0.6]);
    close(&signal(&given, "r0", "macro_rewards"), &[-0.015, -0.015, -0.01, 1.0]);
    let wanted = [0.7374250, 0.7374250, 0.5815000, 0.5815000, 0.4700000, 0.4000000];
    close(&advantages(&given, "r0"), &wanted);
    let returns = [0.8874250, 0.8874250, 0.9315000, 0.9315000, 0.9700000, 1.0];
    close(&list(&given, "r0", "token_returns"), &returns);
}

#[test]
fn weights_of_tokens() {
    let position = of_section(json!({"weights": "position"}));
    close(&signal(&position, "r0", "macro_values")[..2], &[(0.1 + 0.2 / 2.0) / 1.5, (0.3 + 0.4 / 2.0) / 1.5]);
    let unit = of_section(json!({"weights": "unit"}));
    close(&signal(&unit, "r0", "macro_values"), &[0.2, 0.4, 0.5, 0.6]);
    assert!(try_given("ma_rlhf", json!({"weights": "first"}), two()).is_err());
}

/// Two rollouts, the second with environment tokens inside, before and after.
fn two() -> Value {
    json!([
        {"reward": 1.5, "token_mask": [true, true, true, true], "token_values": [0.1, 0.5, -0.2, 0.3]},
        {
            "reward": -1.0,
            "token_mask": [false, true, true, false, true, true, false],
            "token_values": [9.0, 0.4, 0.2, 9.0, 0.1, -0.3, 9.0],
        },
    ])
}

fn macros(settings: Value) -> meed_pipelines::InMemory {
    let mut all = json!({"kl_coef": 0});
    all.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    given("ma_rlhf", all, two())
}

#[test]
fn macro_actions_of_one_token_are_gae() {
    let settings = json!({"lam": 0.9, "gamma": 0.95});
    let gae = given("gae", settings.clone(), two());
    let dropped = macros(json!({"lam": 0.9, "gamma": 0.95, "ngram": 1, "empty_macro": "dropped"}));
    // The empty macro action of the released code makes no difference where nothing is discounted.
    let undiscounted = macros(json!({"lam": 1, "gamma": 1, "ngram": 1}));
    let plain = given("gae", json!({"lam": 1, "gamma": 1}), two());
    for rollout in ["r0", "r1"] {
        close(&advantages(&dropped, rollout), &advantages(&gae, rollout));
        close(&list(&dropped, rollout, "token_returns"), &list(&gae, rollout, "token_returns"));
        close(&advantages(&undiscounted, rollout), &advantages(&plain, rollout));
    }
    // Elsewhere the value of the last token is discounted by lambda and once more by gamma.
    let kept = macros(json!({"lam": 0.9, "gamma": 0.95, "ngram": 1}));
    let last = 1.5 - 0.3;
    let both = 0.95 * 0.9;
    let before = -(-0.2) + both * (0.95 * 0.3 + both * last);
    close(&advantages(&kept, "r0")[2..], &[before, last]);
    assert_eq!(signal(&kept, "r0", "macro_sizes"), [1.0, 1.0, 1.0, 0.0, 1.0]);
}

#[test]
fn one_macro_action_is_a_bandit_but_for_the_last_token() {
    let given = macros(json!({"ngram": 1000, "lam": 0.9}));
    let value: f64 = (0.1 + 0.5 - 0.2) / 3.0;
    let last = 1.5 - 0.3;
    close(&advantages(&given, "r0"), &[&[0.3 - value + 0.9 * last; 3][..], &[last]].concat());
    let value = (0.4 + 0.2 + 0.1) / 3.0;
    let last = -1.0 + 0.3;
    let first = -0.3 - value + 0.9 * last;
    close(&advantages(&given, "r1"), &[0.0, first, first, 0.0, first, last, 0.0]);
}

#[test]
fn given_spans_and_rising_perplexities() {
    let rows = json!([
        {"reward": 1.0, "token_mask": [true, true, true, true], "token_values": [0.0, 0.0, 0.0, 0.0], "parse_ends": [1, 3, 4]},
        {"reward": 1.0, "token_mask": [true, true, true, true], "token_values": [0.0, 0.0, 0.0, 0.0], "parse_ends": null},
        {
            "reward": 1.0, "token_values": [0.0, 0.0, 0.0], "token_mask": [true, false, true],
            "parse_ends": [1, 2, 3],
        },
    ]);
    let parsed = given("ma_rlhf", json!({"termination": "parsing", "kl_coef": 0}), rows);
    assert_eq!(signal(&parsed, "r0", "macro_sizes"), [1.0, 2.0, 1.0]);
    // Without a parse there is no macro action, and nothing to train on.
    assert!(!in_loss(&parsed, "r1"));
    // A constituent of environment tokens is no action.
    assert_eq!(signal(&parsed, "r2", "macro_sizes"), [2.0, 1.0]);
    let rows = json!([{
        "reward": 1.0, "token_values": [0.0, 0.0, 0.0, 0.0], "token_perplexities": [1.0, 2.0, 1.5, 3.0],
    }]);
    let rising = given("ma_rlhf", json!({"termination": "perplexity", "kl_coef": 0}), rows.clone());
    assert_eq!(signal(&rising, "r0", "macro_starts"), [0.0, 2.0, 3.0]);
    let error = try_given("ma_rlhf", json!({"termination": "parsing", "kl_coef": 0}), rows).err().unwrap();
    assert!(error.hint().contains("constituency parser"), "{error}: {}", error.hint());
}

#[test]
fn scores_are_clipped_and_nulls_are_not_trained_on() {
    let rows = json!([
        {"reward": 9.0, "token_values": [0.0], "token_mask": [true]},
        {"reward": null, "token_values": [0.0], "token_mask": [true]},
        {"reward": 1.0, "token_values": [0.0], "token_mask": [false]},
    ]);
    let given = given("ma_rlhf", json!({"kl_coef": 0}), rows);
    close(&advantages(&given, "r0"), &[2.5]);
    assert!(!in_loss(&given, "r1") && !in_loss(&given, "r2"));
}

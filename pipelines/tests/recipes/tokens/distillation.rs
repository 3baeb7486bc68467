//! AdaKD: which tokens are distilled, and how sharply.

use serde_json::json;

use crate::support::{advantages, close, given, list, signal};

#[test]
fn adakd_focuses_on_hard_tokens_and_cools_them() {
    let row = json!({
        "token_mask": [true, true, true, false, true], "token_teacher_distances": [0.1, 0.4, 0.2, 1.0, 0.8],
        "token_teacher_logprobs": [-0.5, -0.5, -0.5, -0.5, -0.5], "token_old_logprobs": [-1.0, -1.0, -1.0, -1.0, -0.25],
    });
    let result = given("adakd", json!({}), json!([row]));
    close(&list(&result, "r0", "token_weights"), &[0.0, 1.0, 0.0, 0.0, 1.0]);
    close(&advantages(&result, "r0"), &[0.5, 0.5, 0.5, 0.0, -0.25]);
    let temperatures = signal(&result, "r0", "token_temperatures");
    // tanh(ln x) = (x^2 - 1) / (x^2 + 1), about the lower median 0.4 of the two that are chosen.
    let wanted = |x: f64| (-0.5 * (x * x - 1.0) / (x * x + 1.0)).exp();
    close(&[temperatures[0], temperatures[1], temperatures[4]], &[wanted(0.25), 1.0, wanted(2.0)]);
}

#[test]
fn adakd_on_all_tokens_is_on_policy_distillation() {
    let row = json!({
        "token_mask": [true, true], "token_teacher_distances": [0.0, 0.0],
        "token_teacher_logprobs": [-0.5, -0.7], "token_old_logprobs": [-1.0, -0.4],
    });
    let result = given("adakd", json!({"ratio": 1.0}), json!([row]));
    let plain = given("on_policy_distillation", json!({}), json!([row]));
    assert_eq!(advantages(&result, "r0"), advantages(&plain, "r0"));
    close(&list(&result, "r0", "token_weights"), &[1.0, 1.0]);
    close(&signal(&result, "r0", "token_temperatures"), &[1.0, 1.0]);
}

//! nsr: right and wrong rollouts apart.

use serde_json::json;

use super::{of_rollouts, rewarded};
use crate::support::{advantages, close, given, list, signal};

#[test]
fn nsr_by_the_sections_numbers() {
    let rollouts = || rewarded(&[1.0, 0.0, 0.0, 1.0]);
    let weighted = json!({"variant": "w_reinforce"});
    close(&of_rollouts("nsr", weighted, rollouts()), &[0.1, -1.0, -1.0, 0.1]);
    for (variant, kept, a) in [("psr", ["r0", "r3"], 1.0), ("nsr", ["r1", "r2"], -1.0)] {
        let given = given("nsr", json!({"variant": variant}), rollouts());
        for row in 0..4 {
            let id = format!("r{row}");
            let is = f64::from(u8::from(kept.contains(&id.as_str())));
            close(&list(&given, &id, "token_weights"), &[is, is]);
            if is == 1.0 {
                close(&advantages(&given, &id), &[a, a]);
            }
        }
    }
}

#[test]
fn w_reinforce_with_weight_1_is_plain_reinforcement() {
    let plain = json!({"variant": "w_reinforce", "positive_weight": 1.0});
    close(&of_rollouts("nsr", plain, rewarded(&[1.0, 0.0, 0.0, 1.0])), &[1.0, -1.0, -1.0, 1.0]);
    // Groups play no role.
    close(&of_rollouts("nsr", json!({"variant": "w_reinforce"}), rewarded(&[1.0])), &[0.1]);
}

#[test]
fn environment_tokens_do_not_take_the_return() {
    let mask = [true, true, false, true];
    let rollouts = || json!([{"reward": 1.0, "token_mask": mask}, {"reward": 0.0, "token_mask": mask}]);
    let ours = given("nsr", json!({"variant": "w_reinforce", "gamma": 0.5}), rollouts());
    close(&advantages(&ours, "r0"), &[0.025, 0.05, 0.0, 0.1]);
    close(&advantages(&ours, "r1"), &[-1.0, -1.0, 0.0, -1.0]);
    let reset = json!({"variant": "w_reinforce", "masked_tokens": "reset"});
    let theirs = given("nsr", reset, rollouts());
    close(&advantages(&theirs, "r0"), &[0.0, 0.0, 0.0, 0.1]);
    assert_eq!(signal(&theirs, "r0", "returns")[3], 1.0);
}

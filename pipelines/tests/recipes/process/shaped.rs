//! Clip and Delta, and PPR: shaped process rewards for a critic.

use serde_json::{Value, json};

use super::{advantages, in_loss, lacks, signal, steps};
use crate::support::{close, given};

fn clip_and_delta(settings: Value) -> meed_pipelines::InMemory {
    let mut settings = settings;
    settings["values"] = json!("none");
    let columns = json!({ "reward": 1.0, "step_rewards": [0.9, 0.4, 0.7, 0.95] });
    given("clip_and_delta", settings, json!([steps(&[1, 1, 1, 1], columns)]))
}

#[test]
fn the_numbers_of_clip_delta_and_both() {
    for (settings, shaped) in [
        (json!({ "delta": false }), [0.0, -0.2, 0.0, 0.0]),
        (json!({ "eta": null }), [0.5, -0.3, 0.7, 0.0]),
        (json!({}), [0.2, -0.2, 0.0, 0.0]),
    ] {
        close(&signal(&clip_and_delta(settings), "r0", "step_shaped_rewards"), &shaped);
    }
    let delta = clip_and_delta(json!({ "eta": null }));
    close(&advantages(&delta, "r0"), &[1.018, 1.008, 1.014, 1.0]);
}

#[test]
fn with_both_bounds_off_it_is_the_sum_of_process_rewards() {
    let off = json!({ "eta": null, "delta": false, "last_step": "counted", "alpha": 1 });
    close(&advantages(&clip_and_delta(off), "r0"), &[3.95, 3.05, 2.65, 1.95]);
    // A bound above every score only shifts them.
    let high = json!({ "eta": 2, "delta": false, "last_step": "counted", "alpha": 1 });
    close(&signal(&clip_and_delta(high), "r0", "step_shaped_rewards"), &[-1.1, -1.6, -1.3, -1.05]);
}

#[test]
fn short_rollouts_have_little_or_no_process_reward() {
    let rows = json!([
        steps(&[2], json!({ "reward": 1.0, "step_rewards": [0.9] })),
        steps(&[1, 1], json!({ "reward": 1.0, "step_rewards": [0.9, 0.2] })),
        { "reward": 1.0, "token_mask": [true], "step_ends": [], "step_rewards": [] },
        steps(&[1, 1], json!({ "reward": 1.0, "step_rewards": [0.9, null] })),
    ]);
    let given = given("clip_and_delta", json!({ "values": "none", "eta": null, "alpha": 1 }), rows);
    close(&signal(&given, "r0", "step_shaped_rewards"), &[0.0]);
    close(&signal(&given, "r1", "step_shaped_rewards"), &[0.9, 0.0]);
    close(&advantages(&given, "r2"), &[1.0]);
    assert!(!in_loss(&given, "r3"));
}

#[test]
fn the_critic_and_the_divergence_enter_as_in_gae() {
    let columns = json!({
        "reward": 1.0, "step_rewards": [0.9, 0.4], "token_values": [0.1, 0.2, 0.3],
        "token_old_logprobs": [-1.0, -1.0, -1.0], "token_ref_logprobs": [-1.5, -1.0, -1.0],
    });
    let rows = json!([steps(&[2, 1], columns)]);
    let settings = json!({ "eta": null, "delta": false, "last_step": "counted", "alpha": 0, "lam": 0.95, "kl": { "coef": 0.1 } });
    let shaped = given("clip_and_delta", settings, rows.clone());
    let gae = given("gae", json!({ "lam": 0.95, "kl": { "coef": 0.1 } }), rows);
    close(&advantages(&shaped, "r0"), &advantages(&gae, "r0"));
}

#[test]
fn ppr_pays_only_where_both_are_good() {
    let row = |reward: f64| steps(&[1, 1, 2], json!({ "reward": reward, "step_rewards": [0.8, 0.6, 1.0] }));
    let given_ = given("ppr", json!({ "values": "none" }), json!([row(1.0), row(0.0)]));
    close(&signal(&given_, "r0", "step_shaped_rewards"), &[0.8, 0.6, 1.0]);
    close(&signal(&given_, "r1", "step_shaped_rewards"), &[-0.2, -0.4, 0.0]);
    close(&advantages(&given_, "r1"), &[-0.6, -0.4, 0.0, 0.0]);
    let unread = json!([steps(&[1, 1], json!({ "reward": 1.0, "step_rewards": [null, 1.0] }))]);
    assert!(!in_loss(&given("ppr", json!({ "values": "none" }), unread.clone()), "r0"));
    let neutral = given("ppr", json!({ "values": "none", "unparsed": 0.5 }), unread);
    close(&advantages(&neutral, "r0"), &[1.5, 1.0]);
}

#[test]
fn the_error_of_a_missing_column_names_its_provider() {
    let bare = json!([steps(&[1], json!({ "reward": 1.0 }))]);
    lacks("ppr", json!({}), bare.clone(), "step_rewards", "process reward model");
    lacks("clip_and_delta", json!({ "values": "none" }), bare, "step_rewards", "process reward model");
}

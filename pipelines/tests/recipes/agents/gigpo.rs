//! GiGPO: the section's check in its four spellings, and its edge cases.

use serde_json::{Value, json};

use crate::support::{advantages, close, given, signal};

fn trajectory(states: &[&str], rewards: &[f64]) -> Value {
    let ends: Vec<usize> = (1..=states.len()).collect();
    json!({
        "reward": rewards.iter().sum::<f64>(), "step_states": states, "step_rewards": rewards, "step_ends": ends,
        "step_kinds": vec!["policy"; states.len()], "token_mask": vec![true; states.len()],
    })
}

fn three() -> Value {
    json!([
        trajectory(&["a", "b"], &[0.0, 1.0]),
        trajectory(&["a", "c"], &[0.0, 0.0]),
        trajectory(&["a", "b", "c"], &[0.0, 0.0, 1.0]),
    ])
}

fn of_all(got: &meed_pipelines::InMemory, name: &str) -> Vec<f64> {
    ["r0", "r1", "r2"].iter().flat_map(|id| signal(got, id, name)).collect()
}

/// The numeric check of the section: the returns, both parts, and their sum with either statistic and mode.
#[test]
fn three_trajectories_with_shared_states() {
    let got = given("gigpo", json!({}), three());
    close(&of_all(&got, "step_returns"), &[0.95, 1.0, 0.0, 0.0, 0.9025, 0.95, 1.0]);
    close(&of_all(&got, "step_state_advantages"), &[0.3325, 0.025, -0.6175, -0.5, 0.285, -0.025, 0.5]);
    let (high, low) = (1.0 / 3.0, -2.0 / 3.0);
    close(&of_all(&got, "step_episode_advantages"), &[high, high, low, low, high, high, high]);
    for (statistics, mode, wanted) in [
        ("step_rows", "mean_norm", [0.618214, 0.310714, -1.331786, -1.214286, 0.570714, 0.260714, 0.785714]),
        (
            "trajectories",
            "mean_norm",
            [0.665833, 0.358333, -1.284167, -1.166667, 0.618333, 0.308333, 0.833333],
        ),
        (
            "step_rows",
            "mean_std_norm",
            [1.206687, 1.292626, -2.617408, -2.170953, 1.117952, -0.121548, 1.292645],
        ),
        (
            "trajectories",
            "mean_std_norm",
            [1.198498, 1.284436, -2.308260, -1.861804, 1.109762, -0.129738, 1.284455],
        ),
    ] {
        let got = given("gigpo", json!({ "episode_statistics": statistics, "mode": mode }), three());
        close(&of_all(&got, "advantage"), &wanted);
    }
}

/// Without the step part, and with every rollout one step, it is Dr. GRPO.
#[test]
fn gigpo_without_the_step_part_is_dr_grpo() {
    let rollouts =
        json!([trajectory(&["a"], &[1.0]), trajectory(&["a"], &[0.0]), trajectory(&["b"], &[0.5])]);
    let got = given("gigpo", json!({ "step_weight": 0 }), rollouts.clone());
    let plain = given("dr_grpo", json!({}), rollouts);
    for id in ["r0", "r1", "r2"] {
        close(&advantages(&got, id), &advantages(&plain, id));
    }
}

/// A step of the environment first, between and last: it is in no state group and takes no discount.
#[test]
fn steps_of_the_environment_change_nothing() {
    let mut rollouts = three();
    let row = &mut rollouts[0];
    row["step_kinds"] = json!(["observation", "policy", "observation", "policy", "observation"]);
    row["step_states"] = json!(["b", "a", "a", "b", "c"]);
    row["step_rewards"] = json!([0.0, 0.0, 0.0, 1.0, 0.0]);
    row["step_ends"] = json!([1, 2, 3, 4, 5]);
    row["token_mask"] = json!([false, true, false, true, false]);
    let (got, plain) = (given("gigpo", json!({}), rollouts), given("gigpo", json!({}), three()));
    let [first, second] = advantages(&plain, "r0")[..] else { panic!("two tokens") };
    close(&advantages(&got, "r0"), &[0.0, first, 0.0, second, 0.0]);
    close(&advantages(&got, "r2"), &advantages(&plain, "r2"));
}

/// A rollout without a trainable token opens no cluster of states: `abc` and `bcc` would both join its `abcc`.
#[test]
fn what_is_not_trained_on_clusters_nothing() {
    let settings = json!({ "similarity": true, "similarity_threshold": 0.75 });
    let mut untrained = trajectory(&["abcc"], &[0.0]);
    untrained["token_mask"] = json!([false]);
    untrained["rollout_id"] = json!("r00");
    let others = json!([trajectory(&["abc"], &[1.0]), trajectory(&["bcc"], &[0.0])]);
    let with = json!([untrained, others[0], others[1]]);
    let renamed = |mut rows: Value| {
        let last = rows.as_array().unwrap().len() - 2;
        rows[last]["rollout_id"] = json!("r1");
        rows[last + 1]["rollout_id"] = json!("r2");
        rows
    };
    let (with, without) =
        (given("gigpo", settings.clone(), renamed(with)), given("gigpo", settings, renamed(others)));
    for id in ["r1", "r2"] {
        close(&advantages(&with, id), &advantages(&without, id));
    }
}

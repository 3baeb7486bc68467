//! Two roles: ccpo, sepo.

use serde_json::{Value, json};

use super::by_agents;
use crate::support::{advantages, close, given, list, signal};

fn joint() -> Value {
    [(1.0, -1.0), (-1.0, -1.0), (1.0, -1.0), (-1.0, 1.0)]
        .into_iter()
        .map(|(reward, solo)| by_agents(reward, &["thinker", "solver"], json!({"solo_reward": solo})))
        .collect()
}

fn of_all(got: &meed_pipelines::InMemory, name: &str, count: usize) -> Vec<f64> {
    (0..count).flat_map(|i| signal(got, &format!("r{i}"), name)).collect()
}

/// The numeric check of the section.
#[test]
fn ccpo_rewards_the_thinker_for_what_the_solver_lacks() {
    let got = given("ccpo", json!({}), joint());
    close(&of_all(&got, "thinker_reward", 4), &[1.2, -1.0, 1.2, -1.0]);
    close(&advantages(&got, "r0"), &[1.1, 1.0]);
    close(&advantages(&got, "r1"), &[-1.1, -1.0]);
    let soft = given("ccpo", json!({"bonus": "soft"}), joint());
    close(&of_all(&soft, "thinker_reward", 4), &[1.15, -1.05, 1.15, -1.05]);
}

/// A thinker that misleads a solver who is mostly right, and outcomes of 0 and 1.
#[test]
fn ccpo_punishes_a_misleading_thought() {
    let rollouts: Value = [(0.0, 1.0), (1.0, 1.0), (1.0, 0.0)]
        .into_iter()
        .map(|(reward, solo)| by_agents(reward, &["thinker", "solver"], json!({"solo_reward": solo})))
        .collect();
    let got = given("ccpo", json!({}), rollouts);
    close(&of_all(&got, "thinker_reward", 3), &[-1.2, 1.0, 1.0]);
}

#[test]
fn one_role_may_be_trained_alone() {
    let got = given("ccpo", json!({"active": "thinker"}), joint());
    close(&list(&got, "r0", "token_weights"), &[1.0, 0.0]);
    let got = given("ccpo", json!({"active": "solver"}), joint());
    close(&list(&got, "r0", "token_weights"), &[0.0, 1.0]);
}

/// Without a bonus both roles have what dr_grpo gives.
#[test]
fn without_a_bonus_outcomes_are_centred() {
    let got = given("ccpo", json!({"bonus_weight": 0}), joint());
    let wanted = given("dr_grpo", json!({}), joint());
    close(&advantages(&got, "r0"), &advantages(&wanted, "r0"));
}

/// The numeric check of the section.
#[test]
fn sepo_shares_the_outcome() {
    let rollouts: Value = [(1.0, 0.7, 0.6), (-1.0, 0.5, 0.4)]
        .into_iter()
        .map(|(reward, own, peer)| {
            let shares = json!({"thinker_share_by_thinker": own, "thinker_share_by_solver": peer});
            by_agents(reward, &["thinker", "solver"], shares)
        })
        .collect();
    let got = given("sepo", json!({}), rollouts.clone());
    close(&of_all(&got, "thinker_share", 2), &[0.65625, 0.44791667]);
    close(&of_all(&got, "thinker_reward", 2), &[1.02083333, -0.97916667]);
    close(&of_all(&got, "solver_reward", 2), &[0.97916667, -1.02083333]);
    let plain = given("sepo", json!({"centred": false}), rollouts);
    close(&of_all(&plain, "thinker_reward", 2), &[1.03125, -0.98958333]);
}

#[test]
fn a_rating_that_cannot_be_read_is_one_half() {
    let rollout = |own: Value| {
        let shares = json!({"thinker_share_by_thinker": own, "thinker_share_by_solver": 0.5});
        by_agents(1.0, &["thinker", "solver"], shares)
    };
    let got = given("sepo", json!({}), json!([rollout(json!(0.7)), rollout(json!(null))]));
    close(&signal(&got, "r1", "thinker_share"), &[0.5]);
}

//! Agents in groups of their own: dr_mas, m_grpo, agent_lightning, mappa.

use serde_json::json;

use super::by_agents;
use crate::support::{advantages, close, given, list, signal};

/// The numeric check of both sections.
const OF_FOUR: [f64; 4] = [0.8660239, -0.8660239, -0.8660239, 0.8660239];

#[test]
fn dr_mas_groups_by_agent() {
    let rollouts: serde_json::Value = [1.0, 0.0, 0.0, 1.0]
        .into_iter()
        .enumerate()
        .map(|(i, reward)| by_agents(reward, if i == 0 { &["a", "b"] } else { &["a"] }, json!({})))
        .collect();
    let got = given("dr_mas", json!({}), rollouts);
    for (i, wanted) in OF_FOUR.into_iter().enumerate() {
        close(&advantages(&got, &format!("r{i}"))[..1], &[wanted]);
    }
    // The only row of its agent keeps its reward.
    close(&advantages(&got, "r0")[1..], &[1.0 / (1.0 + 1e-6)]);
}

#[test]
fn dr_mas_counts_rows_and_takes_rewards_of_steps() {
    let rollouts = json!([
        by_agents(1.0, &["a", "a", "a"], json!({"step_rewards": [1.0, 0.0, 0.0]})),
        by_agents(0.0, &["a"], json!({"step_rewards": [1.0]})),
    ]);
    let got = given("dr_mas", json!({"scale": "none"}), rollouts.clone());
    close(&advantages(&got, "r0"), &[0.25; 3]);
    close(&advantages(&got, "r1"), &[-0.75]);
    let steps = given("dr_mas", json!({"scale": "none", "rewarded": "step"}), rollouts);
    close(&advantages(&steps, "r0"), &[0.5, -0.5, -0.5]);
}

#[test]
fn dr_mas_of_one_agent_is_grpo() {
    let rollouts = json!([by_agents(1.0, &["a"], json!({})), by_agents(0.0, &["a"], json!({}))]);
    let (got, grpo) = (given("dr_mas", json!({}), rollouts.clone()), given("grpo", json!({}), rollouts));
    close(&advantages(&got, "r0"), &advantages(&grpo, "r0"));
}

fn row(episode: &str, agent: &str, reward: f64) -> serde_json::Value {
    json!({"episode_id": episode, "agent": agent, "reward": reward, "token_mask": [true]})
}

/// The numeric check of the section: the main agent's group.
#[test]
fn m_grpo_of_the_main_agent() {
    let rows = json!([row("e0", "main", 0.7), row("e1", "main", 0.3), row("e2", "main", 0.5)]);
    let got = given("m_grpo", json!({"eps": 0}), rows);
    close(
        &[advantages(&got, "r0"), advantages(&got, "r1"), advantages(&got, "r2")].concat(),
        &[1.0, -1.0, 0.0],
    );
}

/// With three calls per episode: of one call three copies, of two calls two and one, of four calls three.
#[test]
fn m_grpo_aligns_calls() {
    let mut rows = vec![row("e0", "main", 1.0), row("e1", "main", 0.0), row("e2", "main", 0.5)];
    rows.push(row("e0", "sub", 1.0));
    rows.extend([row("e1", "sub", 0.0), row("e1", "sub", 0.5)]);
    rows.extend([0.25, 0.5, 0.0, 9.0].map(|reward| row("e2", "sub", reward)));
    let got = given("m_grpo", json!({"calls": 3}), rows.into());
    let of = |ids: std::ops::Range<usize>, name: &str| -> Vec<f64> {
        ids.flat_map(|i| signal(&got, &format!("r{i}"), name)).collect()
    };
    close(&of(0..10, "copies"), &[1.0, 1.0, 1.0, 3.0, 2.0, 1.0, 1.0, 1.0, 1.0, 0.0]);
    let aligned: [f64; 9] = [1.0, 1.0, 1.0, 0.0, 0.0, 0.5, 0.25, 0.5, 0.0];
    let mean = aligned.iter().sum::<f64>() / 9.0;
    let std = (aligned.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 8.0).sqrt();
    close(&advantages(&got, "r3"), &[(1.0 - mean) / (std + 1e-6)]);
    close(&advantages(&got, "r5"), &[(0.5 - mean) / (std + 1e-6)]);
    close(&list(&got, "r9", "token_weights"), &[0.0]);
    close(&list(&got, "r3", "token_weights"), &[3.0]);
}

/// The numeric check of the section, and a rollout of which each transition is a row.
#[test]
fn agent_lightning_counts_a_rollout_once() {
    let rollouts: serde_json::Value =
        [1.0, 0.0, 0.0, 1.0].into_iter().map(|reward| by_agents(reward, &["a"], json!({}))).collect();
    let got = given("agent_lightning", json!({}), rollouts.clone());
    for (i, wanted) in OF_FOUR.into_iter().enumerate() {
        close(&advantages(&got, &format!("r{i}")), &[wanted]);
    }
    let rows: Vec<serde_json::Value> =
        [("x", 1.0), ("y", 0.0), ("z", 0.0), ("w", 1.0), ("x", 1.0), ("x", 1.0)]
            .into_iter()
            .map(|(of, reward)| by_agents(reward, &["a"], json!({"source_rollout_id": of})))
            .collect();
    let got = given("agent_lightning", json!({}), rows.into());
    for (id, wanted) in [("r0", OF_FOUR[0]), ("r1", OF_FOUR[1]), ("r4", OF_FOUR[0]), ("r5", OF_FOUR[0])] {
        close(&advantages(&got, id), &[wanted]);
    }
}

/// The numeric check of the section; the next action's score counts only where gamma says so.
#[test]
fn mappa_normalises_over_the_batch() {
    let rollouts = json!([
        by_agents(0.0, &["a", "b"], json!({"step_scores": [8.0, 3.0]})),
        by_agents(0.0, &["a", "b"], json!({"step_scores": [6.0, 7.0], "group_id": "other"})),
    ]);
    let got = given("mappa", json!({}), rollouts.clone());
    close(&advantages(&got, "r0"), &[1.06904497, -1.60356745]);
    close(&advantages(&got, "r1"), &[0.0, 0.53452248]);
    let returns = given("mappa", json!({"gamma": 0.5}), rollouts);
    close(&signal(&returns, "r0", "step_returns"), &[9.5, 3.0]);
}

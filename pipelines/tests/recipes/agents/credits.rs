//! Credits of agents: leave_one_agent_out, shapley, sharp, llm_mca.

use serde_json::{Value, json};

use super::by_agents;
use crate::support::{advantages, close, given, in_loss, signal, try_given};

fn counterfactual(reward: f64, without: [f64; 2]) -> Value {
    let more = json!({"agent_ids": ["a", "b"], "agent_counterfactual_rewards": without});
    by_agents(reward, &["a", "b", "a"], more)
}

#[test]
fn what_is_lost_without_an_agent() {
    let rollouts = json!([counterfactual(0.8, [0.5, 0.7]), counterfactual(0.0, [0.5, 0.0])]);
    let got = given("leave_one_agent_out", json!({}), rollouts.clone());
    close(&advantages(&got, "r0"), &[0.3, 0.1, 0.3]);
    close(&advantages(&got, "r1"), &[-0.5, 0.0, -0.5]);
    let compared = given("leave_one_agent_out", json!({"compared": "agent"}), rollouts);
    let of = |difference: f64| -difference * 0.5 / (difference * 0.5f64.sqrt() + 1e-6);
    close(&advantages(&compared, "r1"), &[of(0.8), of(0.1), of(0.8)]);
}

#[test]
fn an_acting_agent_without_a_counterfactual_leaves_the_rollout_out() {
    let mut rollout = counterfactual(1.0, [0.0, 0.0]);
    rollout["step_agents"] = json!(["a", "c", "a"]);
    let got = given("leave_one_agent_out", json!({}), json!([rollout]));
    assert!(!in_loss(&got, "r0"));
}

/// The worth of the sets {}, {0}, {1}, {2}, {0, 1}, {0, 2}, {1, 2}, {0, 1, 2} of SCAR's section.
fn coalitions() -> Value {
    json!({
        "agent_ids": ["a", "b", "c"],
        "coalition_member_positions": [[], [0], [1], [2], [0, 1], [0, 2], [1, 2], [2, 1, 0]],
        "coalition_rewards": [0.0, 0.1, 0.2, 0.0, 0.6, 0.3, 0.2, 1.0],
    })
}

#[test]
fn shapley_values_of_three_agents() {
    let got = given("shapley", json!({}), json!([by_agents(1.0, &["a", "c", "b"], coalitions())]));
    close(&signal(&got, "r0", "agent_credit"), &[0.4166666667, 0.4166666667, 0.1666666667]);
    close(&advantages(&got, "r0"), &[0.4166666667, 0.1666666667, 0.4166666667]);
}

/// Two of the six orderings, one after another.
#[test]
fn shapley_values_of_sampled_orderings() {
    let mut sampled = coalitions();
    sampled["coalition_member_positions"] = json!([[], [0], [0, 1], [0, 1, 2], [], [2], [1, 2], [0, 1, 2]]);
    sampled["coalition_rewards"] = json!([0.0, 0.1, 0.6, 1.0, 0.0, 0.0, 0.2, 1.0]);
    let rollouts = json!([by_agents(1.0, &["a", "b", "c"], sampled)]);
    let got = given("shapley", json!({"coalitions": "orderings"}), rollouts);
    close(&advantages(&got, "r0"), &[0.45, 0.35, 0.2]);
}

#[test]
fn shapley_needs_every_coalition_and_players_that_exist() {
    let mut lacking = coalitions();
    lacking["coalition_rewards"][3] = Value::Null;
    let got = given("shapley", json!({}), json!([by_agents(1.0, &["a"], lacking)]));
    assert!(!in_loss(&got, "r0"));
    let mut wrong = coalitions();
    wrong["coalition_member_positions"][7] = json!([0, 1, 3]);
    let error = try_given("shapley", json!({}), json!([by_agents(1.0, &["a"], wrong)])).err().unwrap();
    assert!(error.to_string().contains("rollout r0") && error.to_string().contains("player 3"), "{error}");
}

/// Without a dummy's help every set is worth what it was: it gets 0, and with one agent the value is the reward.
#[test]
fn shapley_of_a_dummy_and_of_one() {
    let dummy = json!({
        "agent_ids": ["a", "b"],
        "coalition_member_positions": [[], [0], [1], [0, 1]], "coalition_rewards": [0.0, 1.0, 0.0, 1.0],
    });
    let one = json!({
        "agent_ids": ["a"], "coalition_member_positions": [[], [0]], "coalition_rewards": [0.0, 1.0],
    });
    let dummy = given("shapley", json!({}), json!([by_agents(1.0, &["a", "b"], dummy)]));
    close(&advantages(&dummy, "r0"), &[1.0, 0.0]);
    let one = given("shapley", json!({}), json!([by_agents(1.0, &["a"], one)]));
    close(&advantages(&one, "r0"), &[1.0]);
}

/// The marginal credits of the section, and the sum that is normalised per agent.
#[test]
fn sharp_marginals() {
    let with_tools = |mut rollout: Value, tools: [f64; 2]| {
        rollout["agent_tool_rewards"] = json!(tools);
        rollout
    };
    let rollouts = json!([
        with_tools(counterfactual(0.8, [0.5, 0.7]), [0.0, 0.5]),
        with_tools(counterfactual(0.4, [0.4, 0.4]), [0.5, 0.5]),
    ]);
    let settings = json!({"marginal_weight": 0.5, "tool_weight": 0.1});
    let got = given("sharp", settings, rollouts);
    close(&signal(&got, "r0", "agent_marginal_credit"), &[0.3, 0.1]);
    close(&signal(&got, "r0", "agent_rewards"), &[0.95, 0.9]);
    close(&signal(&got, "r1", "agent_rewards"), &[0.45, 0.45]);
    let unit = 0.5f64.sqrt();
    let of = |difference: f64| unit * difference / (difference + 1e-6 / unit);
    close(&advantages(&got, "r0"), &[of(0.5), of(0.45), of(0.5)]);
}

/// With no marginal credit and no tools every agent has the group-relative advantage.
#[test]
fn sharp_of_the_outcome_alone_is_grpo() {
    let rollouts = json!([counterfactual(1.0, [0.5, 0.7]), counterfactual(0.0, [0.4, 0.4])]);
    let got = given("sharp", json!({"marginal_weight": 0, "tool_weight": 0}), rollouts.clone());
    let grpo = given("grpo", json!({}), rollouts);
    close(&advantages(&got, "r0"), &advantages(&grpo, "r0"));
}

#[test]
fn sharp_by_shapley_values() {
    let rollout = by_agents(1.0, &["a", "b", "c"], coalitions());
    let got = given("sharp", json!({"marginal": "shapley", "tool_weight": 0}), json!([rollout]));
    close(&signal(&got, "r0", "agent_rewards"), &[17.0 / 12.0, 17.0 / 12.0, 7.0 / 6.0]);
}

#[test]
fn llm_mca_takes_parts_that_agree() {
    let parts = |parts: [f64; 2]| {
        by_agents(1.0, &["b", "a"], json!({"agent_ids": ["a", "b"], "agent_assigned_rewards": parts}))
    };
    let rollouts = json!([parts([0.75, 0.25]), parts([0.75, 0.75]), parts([-0.5, 0.5])]);
    let got = given("llm_mca", json!({}), rollouts.clone());
    close(&advantages(&got, "r0"), &[0.25, 0.75]);
    assert_eq!(["r0", "r1", "r2"].map(|id| in_loss(&got, id)), [true, false, false]);
    let scaled = given("llm_mca", json!({"disagreement": "scaled"}), rollouts);
    close(&advantages(&scaled, "r1"), &[0.5, 0.5]);
    assert_eq!(["r0", "r1", "r2"].map(|id| in_loss(&scaled, id)), [true, true, false]);
}

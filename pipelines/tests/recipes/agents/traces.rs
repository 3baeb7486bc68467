//! Orchestration traces.

use meed_operators::signals::{Trace, TraceFault};
use serde_json::{Value, json};

use crate::support::{advantages, close, given, signal, try_given};

/// The example trace of the section: eight events, one token each.
fn trace(rewards: [f64; 3]) -> Value {
    let [team, orchestration, tool] = rewards;
    json!({
        "token_mask": vec![true; 8], "step_ends": [1, 2, 3, 4, 5, 6, 7, 8],
        "step_ids": ["e1", "e2", "e3", "e4", "e5", "e6", "e7", "e8"],
        "step_kinds": [
            "orchestrator_decision", "spawn", "message", "tool_call", "message", "return", "aggregate", "message",
        ],
        "step_agents": ["main", "main", "main", "worker", "worker", "worker", "main", "main"],
        "step_roles": ["planner", "planner", "planner", "executor", "executor", "executor", "planner", "planner"],
        "step_rewards": [0.0, 0.0, 1.0, 1.0, 2.0, 0.0, 0.0, 0.5],
        "edge_sources": ["e3", "e4", "e1"], "edge_targets": ["e4", "e5", "e2"],
        "edge_types": ["causal", "causal", "spawn"],
        "reward_team": team, "reward_orchestration": orchestration, "reward_tool": tool,
    })
}

fn traces() -> Value {
    json!([trace([1.0, 0.3, 0.1]), trace([0.0, 0.3, 0.1])])
}

/// The weighted sum of the section, in every unit.
#[test]
fn hybrid_rewards() {
    let units = [
        ("team", "rollout"),
        ("agent", "step"),
        ("role", "step"),
        ("orchestrator", "step"),
        ("turn", "step"),
        ("message", "step"),
        ("tool_call", "step"),
        ("token", "token"),
    ];
    for (unit, level) in units {
        let got = given("orchestration_traces", json!({"family": "R8", "unit": unit}), traces());
        let rewards = signal(&got, "r0", &format!("{level}_unit_rewards"));
        close(&rewards, &vec![1.2; rewards.len()]);
    }
}

/// A reward of the team is worth the same in every unit, wherever it lands.
#[test]
fn credit_lands_on_the_events_of_the_unit() {
    let unit = 0.5f64.sqrt() / (1.0 + 1e-6 / 0.5f64.sqrt());
    let of = |name: &str| advantages(&given("orchestration_traces", json!({"unit": name}), traces()), "r0");
    for whole in ["team", "agent", "role"] {
        close(&of(whole), &[unit; 8]);
    }
    let at = |events: &[usize], x: f64| -> Vec<f64> {
        (0..8).map(|event| if events.contains(&event) { x } else { 0.0 }).collect()
    };
    close(&of("orchestrator"), &at(&[0, 1, 6], unit));
    close(&of("tool_call"), &at(&[3], unit));
    // Six messages, three of each trace: the sample deviation of three ones and three zeros.
    close(&of("message"), &at(&[2, 4, 7], 0.5 / (0.3f64.sqrt() + 1e-6)));
}

/// An agent's events are one unit: their rewards add up, and the unit counts once per trace.
#[test]
fn process_rewards_of_agents() {
    let mut other = trace([0.0; 3]);
    other["step_rewards"] = json!([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.5]);
    let rollouts = json!([trace([0.0; 3]), other]);
    let settings = json!({"family": "R4", "scale": "none"});
    let got = given("orchestration_traces", settings, rollouts.clone());
    close(&signal(&got, "r0", "step_unit_rewards"), &[1.5, 1.5, 1.5, 3.0, 3.0, 3.0, 1.5, 1.5]);
    close(&advantages(&got, "r0"), &[0.5, 0.5, 0.5, 1.0, 1.0, 1.0, 0.5, 0.5]);
    let message = given("orchestration_traces", json!({"family": "R4", "unit": "message"}), rollouts);
    close(&signal(&message, "r0", "step_unit_rewards"), &[0.0, 0.0, 1.0, 0.0, 2.0, 0.0, 0.0, 0.5]);
}

/// Every event has what follows from it along causal edges: e3 causes e4, which causes e5.
#[test]
fn causes_have_what_follows_from_them() {
    let settings = json!({"family": "R4", "unit": "cause"});
    let got = given("orchestration_traces", settings, traces());
    close(&signal(&got, "r0", "step_unit_rewards"), &[0.0, 0.0, 4.0, 3.0, 2.0, 0.0, 0.0, 0.5]);
    let mut looped = trace([0.0; 3]);
    looped["edge_targets"] = json!(["e4", "e3", "e2"]);
    let settings = json!({"family": "R4", "unit": "cause", "edge_types": null});
    let got = given("orchestration_traces", settings, json!([looped]));
    close(&signal(&got, "r0", "step_unit_rewards"), &[0.0, 0.0, 2.0, 2.0, 2.0, 0.0, 0.0, 0.5]);
}

/// Edge e1 -> e9 in a trace of eight events, and a cost below 0.
#[test]
fn broken_traces_are_refused() {
    let mut dangling = trace([0.0; 3]);
    dangling["edge_targets"] = json!(["e4", "e5", "e9"]);
    let settings = json!({"family": "R4", "unit": "cause", "costs": ["cost_tokens"]});
    dangling["cost_tokens"] = json!(10.0);
    let error = try_given("orchestration_traces", settings.clone(), json!([dangling])).err().unwrap();
    assert!(error.to_string().contains("rollout r0") && error.to_string().contains("e9"), "{error}");
    let mut cheap = trace([0.0; 3]);
    cheap["cost_tokens"] = json!(-1.0);
    let error = try_given("orchestration_traces", settings, json!([cheap])).err().unwrap();
    assert!(error.to_string().contains("negative cost -1 of cost_tokens"), "{error}");
    let events = ["e1", "e2", "e3", "e4", "e5", "e6", "e7", "e8"];
    let section = Trace { events: events.to_vec(), edges: vec![("e1", "e9")], ..Trace::default() };
    assert_eq!(section.check(), Err(TraceFault::DanglingEdge { edge: 0, event: "e9".into() }));
}

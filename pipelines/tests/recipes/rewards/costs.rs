//! Router-R1: the section's check, the window over iterations, and gates.

use serde_json::{Value, json};

use crate::support::{close, given, signal, try_given};

fn routed(cost: f64, reward: f64) -> Value {
    json!({"route_cost": cost, "reward": reward, "format_ok": true})
}

/// 21 costs whose roots have 4.472136 as 5th and 30 as 95th percentile; the first rollout's is that of the
/// check.
fn window(reward: f64) -> Vec<Value> {
    let mut rows = vec![routed(400.0 * 0.6, reward), routed(0.0, 0.0), routed(20.0, 0.0)];
    rows.extend((0..16).map(|_| routed(400.0, 0.0)));
    rows.extend([routed(900.0, 0.0), routed(961.0, 0.0)]);
    rows
}

#[test]
fn cheap_right_answers_earn_more() {
    let exact = given("router_r1", json!({}), window(1.0).into());
    close(&signal(&exact, "r0", "cost_low"), &[4.472136]);
    close(&signal(&exact, "r0", "cost_high"), &[30.0]);
    close(&signal(&exact, "r0", "cost_rewards"), &[0.568323]);
    close(&signal(&exact, "r0", "rewards"), &[0.611491]);
    let overlap = given("router_r1", json!({"metric": "f1"}), window(0.5).into());
    close(&signal(&overlap, "r0", "rewards"), &[0.561491]);
}

#[test]
fn wrong_answers_earn_nothing_and_broken_ones_less() {
    let mut rows = window(1.0);
    rows[0]["format_ok"] = json!(false);
    let given = given("router_r1", json!({}), rows.into());
    close(&signal(&given, "r0", "rewards"), &[-1.0]);
    close(&signal(&given, "r1", "rewards"), &[0.0]);
}

#[test]
fn costs_of_earlier_iterations_count_while_they_are_in_the_window() {
    let at = |iteration: usize, cost: f64| {
        let mut row = routed(cost, 1.0);
        row["iteration"] = json!(iteration);
        row["rollout_id"] = json!(format!("i{iteration}"));
        row
    };
    let rows = json!([at(0, 100.0), at(1, 0.0), at(2, 25.0)]);
    let two = given("router_r1", json!({"window": 2, "quantile_low": 0, "quantile_high": 1}), rows.clone());
    close(&signal(&two, "i0", "cost_rewards"), &[0.5]);
    close(&signal(&two, "i1", "cost_rewards"), &[1.0]);
    close(&signal(&two, "i2", "cost_rewards"), &[0.0]);
    let whole = given("router_r1", json!({"window": null, "quantile_low": 0, "quantile_high": 1}), rows);
    close(&signal(&whole, "i2", "cost_rewards"), &[0.5]);
}

#[test]
fn without_a_share_for_cost_it_is_the_metric() {
    let given = given("router_r1", json!({"cost_coef": 0}), window(1.0).into());
    close(&signal(&given, "r0", "rewards"), &[1.0]);
}

#[test]
fn a_window_of_no_iterations_is_refused() {
    for window in [0.0, -3.0, 1.5] {
        let error = try_given("router_r1", json!({"window": window}), one()).err().expect("no window");
        assert!(
            error.hint().contains("whole number") || error.to_string().contains("whole number"),
            "{error}"
        );
    }
}

fn one() -> Value {
    json!([routed(4.0, 1.0)])
}

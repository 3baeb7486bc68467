//! EvoEnv: the section's check, the gates, and who is compared with whom.

use serde_json::{Value, json};

use crate::support::{advantages, close, given, in_loss, list, signal, try_given};

fn generator(gates: usize, rate: Value) -> Value {
    json!({"role": "generator", "gates_passed": gates, "pass_rate": rate, "reward": null, "instance_id": null})
}

fn solver(instance: &str, rate: f64, reward: Value) -> Value {
    json!({"role": "solver", "gates_passed": 5, "pass_rate": rate, "reward": reward, "instance_id": instance})
}

fn each(given: &meed_pipelines::InMemory, name: &str) -> Vec<f64> {
    (0..given.unit.rows()).flat_map(|row| signal(given, &format!("r{row}"), name)).collect()
}

#[test]
fn the_sections_check() {
    let mut rows: Vec<Value> = [0.0, 0.25, 0.375, 1.0].map(|rate| generator(5, json!(rate))).to_vec();
    rows.push(solver("a", 0.25, json!(1.0)));
    let given = given("evoenv", json!({}), rows.into());
    close(&each(&given, "difficulty")[..4], &[0.0, 0.9285714, 0.8928571, 0.0]);
    close(&each(&given, "admitted")[..4], &[0.0, 1.0, 1.0, 0.0]);
}

#[test]
fn gates_reviews_and_novelty() {
    let mut rows = [
        generator(3, Value::Null),
        generator(4, Value::Null),
        generator(5, json!(0.3)),
        generator(5, json!(0.3)),
        solver("a", 0.3, json!(0.7)),
    ];
    for (row, (votes, novelty)) in rows.iter_mut().zip([(0, 0.9), (0, 0.5), (1, 0.5), (0, 0.5), (0, 0.0)]) {
        row["rejections"] = json!(votes);
        row["novelty"] = json!(novelty);
    }
    let given = given("evoenv", json!({"novelty_coef": 0.2, "validity": 0.5}), json!(rows));
    close(&each(&given, "score"), &[-1.0, 0.6, 0.6, 1.6, 0.7]);
}

#[test]
fn each_role_among_its_own() {
    let rows = json!([
        generator(5, json!(0.3)),
        generator(0, Value::Null),
        solver("a", 0.5, json!(1.0)),
        solver("a", 0.5, json!(0.0)),
        solver("b", 0.5, json!(0.0)),
        solver("b", 0.5, json!(4.0)),
        solver("b", 0.5, Value::Null),
        solver("c", 1.0, json!(1.0)),
    ]);
    let with = given("evoenv", json!({"scale": "none"}), rows.clone());
    let advantage: Vec<f64> = (0..8).flat_map(|row| advantages(&with, &format!("r{row}"))).collect();
    close(&advantage, &[1.0, -1.0, 0.5, -0.5, -2.0, 2.0, 0.0, 0.0]);
    assert!(!in_loss(&with, "r6"));
    // An environment that every solver passes is outside the band.
    close(&list(&with, "r7", "token_weights"), &[0.0]);
    close(&list(&with, "r2", "token_weights"), &[1.0]);
    let scaled = given("evoenv", json!({"eps": 0}), rows);
    close(&advantages(&scaled, "r5"), &[std::f64::consts::FRAC_1_SQRT_2]);
}

#[test]
fn generators_that_all_fail_have_no_advantage() {
    let rows = json!([generator(1, Value::Null), generator(2, Value::Null), solver("a", 0.5, json!(1.0))]);
    let given = given("evoenv", json!({}), rows);
    close(&advantages(&given, "r0"), &[0.0]);
    let error = try_given("evoenv", json!({}), json!([{"reward": 1.0, "role": "solver"}])).err().unwrap();
    assert!(error.to_string().contains("gates_passed"), "{error}");
}

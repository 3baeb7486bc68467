//! Auto MC-Reward and Text2Reward: rewards that are given as text.

use meed_operators::Error;
use meed_pipelines::{find, try_reward};
use serde_json::{Value, json};

use super::stepped;
use crate::support::{close, given, signal, try_given};

#[test]
fn auto_mc_reward_has_the_values_of_its_section() {
    let pairs = [(1, 1), (1, 0), (1, -1), (0, 1), (0, 0), (0, -1), (-1, 1), (-1, 0), (-1, -1)];
    let sparse: Vec<i32> = pairs.iter().map(|pair| 2 * pair.0).collect();
    let dense: Vec<f64> = pairs.iter().map(|pair| 0.5 * f64::from(pair.1)).collect();
    let row = stepped(9, json!({"step_sparse": sparse, "step_dense": dense}));
    let result = given("auto_mc_reward", json!({}), json!([row]));
    let wanted = [1.1, 1.0, 0.9, 0.1, 0.0, -0.1, -0.9, -1.0, -1.1];
    close(&signal(&result, "r0", "step_shaped_rewards"), &wanted);
    close(&signal(&result, "r0", "step_ends_episode"), &[1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
}

#[test]
fn auto_mc_reward_takes_expressions_of_the_data() {
    let row = stepped(3, json!({"step_wood": [0.0, 2.0, 3.0], "step_health": [1.0, 1.0, 0.0]}));
    let settings = json!({
        "sparse": "when(step_health <= 0, -1, when(step_wood >= 3, 1, 0))",
        "dense": "difference(step_wood, initial 0)",
    });
    let result = given("auto_mc_reward", settings, json!([row]));
    close(&signal(&result, "r0", "step_shaped_rewards"), &[0.0, 0.1, -0.9]);
}

fn state(distance: f64, grasped: bool, height: f64, success: bool) -> Value {
    let columns = json!({
        "step_distance": [distance], "step_grasped": [grasped], "step_height": [height], "step_success": [success],
    });
    stepped(1, columns)
}

#[test]
fn text2reward_has_the_numbers_of_its_section() {
    let rows = json!([
        state(0.1, true, 0.05 / 0.2, false),
        state(0.0, true, 1.0, true),
        state(0.1, false, 0.25, false),
        state(0.0, true, 3.0, false),
    ]);
    let result = given("text2reward", json!({}), rows);
    let reward = |rollout: &str| signal(&result, rollout, "shaped_reward");
    close(&reward("r0"), &[1.0378828427]);
    close(&reward("r1"), &[2.25]);
    close(&reward("r2"), &[0.5378828427]);
    // All stages together are worth what success is.
    close(&reward("r3"), &[2.25]);
}

fn refused(program: &str) -> Error {
    let rows = json!([stepped(2, json!({"step_distance": [0.0, 0.5], "step_messages": ["a", "b"]}))]);
    let error = try_given("text2reward", json!({ "program": program }), rows).err();
    error.unwrap_or_else(|| panic!("takes {program}"))
}

#[test]
fn what_is_wrong_with_a_text_is_said_with_its_place() {
    let error = refused("shaped_reward = 1 - tanh(step_distance");
    assert!(error.to_string().contains("line 1"), "{error}");
    let error = refused("near = step_distance < 1");
    assert!(error.to_string().contains("`shaped_reward`") && error.to_string().contains("near"), "{error}");
    let error = refused("shaped_reward = 1 - step_distanse");
    assert!(error.to_string().contains("step_distanse"), "{error}");
    assert!(error.hint().contains("step_distance"), "{}", error.hint());
    let error = refused("shaped_reward = tanh(step_messages)");
    assert!(error.to_string().contains("step_messages"), "{error}");
    let error = refused("shaped_reward = step_distance + token_unknown");
    assert!(error.to_string().contains("token_unknown"), "{error}");
}

#[test]
fn a_value_that_is_not_finite_is_refused_with_its_rollout() {
    let error = refused("shaped_reward = 1 / step_distance");
    assert!(error.to_string().contains("r0") && error.to_string().contains("shaped_reward"), "{error}");
    let rows = json!([stepped(1, json!({"step_sparse": [0.0], "step_dense": [0.0]}))]);
    let error = try_given("auto_mc_reward", json!({"dense": "ln(step_dense)"}), rows).err();
    assert!(error.is_some_and(|error| error.to_string().contains("step_dense_values")));
}

#[test]
fn a_reward_is_tried_on_a_sample_before_it_is_used() {
    let mut row = stepped(2, json!({"step_distance": [0.0, 0.5]}));
    row["group_id"] = "g".into();
    row["rollout_id"] = "a".into();
    let sample = || crate::load::rollouts(&[row.clone()]).expect("rollouts");
    let recipe = find("text2reward").expect("the recipe");
    let tried = |program: &str| try_reward(recipe, &[("program".to_owned(), program.into())], sample());
    let given =
        tried("near = 1 - tanh(5 * step_distance); shaped_reward = 2 * near").expect("a sound reward");
    close(&signal(&given, "a", "shaped_reward"), &[2.0, 2.0 - 2.0 * 2.5f64.tanh()]);
    assert!(tried("shaped_reward = 1 / step_distance").is_err());
}

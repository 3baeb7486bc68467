//! LaRe, ONI, CALM and BARFI: step rewards in the place of sparse ones.

use serde_json::json;

use super::stepped;
use crate::support::{close, given, signal, try_given};

#[test]
fn lare_has_the_numbers_of_its_section() {
    let row = stepped(4, json!({"reward": 2.0, "step_proxy_rewards": [0.1, 0.4, 0.2, 0.3]}));
    let result = given("lare", json!({}), json!([row]));
    close(&signal(&result, "r0", "decomposition_losses"), &[0.0625]);
    close(&signal(&result, "r0", "step_shaped_rewards"), &[0.1, 0.4, 0.2, 0.3]);
    let agents = [[0.05, 0.05], [0.3, 0.1], [0.2, 0.0], [0.1, 0.2]];
    let row = stepped(4, json!({"reward": 2.0, "step_agent_proxy_rewards": agents}));
    let result = given("lare", json!({"decoder": "agents"}), json!([row]));
    close(&signal(&result, "r0", "decomposition_losses"), &[0.0625]);
    close(&signal(&result, "r0", "step_shaped_rewards"), &[0.1, 0.4, 0.2, 0.3]);
}

#[test]
fn lare_decodes_factors_so_that_rewards_add_up_to_the_return() {
    let row = |reward: f64, factors: [[f64; 2]; 2]| {
        stepped(2, json!({"reward": reward, "step_factor_values": factors}))
    };
    let rows = json!([row(3.0, [[1.0, 0.0], [0.0, 1.0]]), row(2.0, [[1.0, 0.0], [1.0, 0.0]])]);
    let result = given("lare", json!({"decoder": "linear", "ridge": 0.0}), rows);
    close(&signal(&result, "r0", "step_shaped_rewards"), &[1.0, 2.0]);
    close(&signal(&result, "r1", "step_shaped_rewards"), &[1.0, 1.0]);
    close(&signal(&result, "r0", "decomposition_losses"), &[0.0]);
    let ragged = json!([stepped(2, json!({"reward": 3.0, "step_factor_values": [[1.0, 0.0], [0.0]]}))]);
    let error =
        try_given("lare", json!({"decoder": "linear"}), ragged).err().expect("factors of two lengths");
    assert!(error.to_string().contains("step_factor_values"), "{error}");
}

#[test]
fn lare_gives_no_loss_where_a_step_has_no_reward() {
    let row = stepped(2, json!({"reward": 2.0, "step_proxy_rewards": [0.1, null]}));
    let result = given("lare", json!({}), json!([row]));
    close(&signal(&result, "r0", "decomposition_losses"), &[f64::NAN]);
}

#[test]
fn lare_sums_over_agents_only_where_each_has_a_reward() {
    let row = stepped(2, json!({"reward": 2.0, "step_agent_proxy_rewards": [[0.5, null], [0.3, 0.1]]}));
    let result = given("lare", json!({"decoder": "agents"}), json!([row]));
    close(&signal(&result, "r0", "step_shaped_rewards"), &[f64::NAN, 0.4]);
    close(&signal(&result, "r0", "decomposition_losses"), &[f64::NAN]);
}

#[test]
fn oni_has_the_numbers_of_its_section() {
    let row = stepped(
        4,
        json!({
            "step_rewards": [0.0, 0.0, 1.0, 0.0], "step_messages": ["a", "b", "a", "a"],
            "step_message_labels": [1.0, 0.0, 1.0, 1.0],
        }),
    );
    let result = given("oni", json!({}), json!([row]));
    close(&signal(&result, "r0", "step_message_counts"), &[1.0, 1.0, 2.0, 3.0]);
    close(&signal(&result, "r0", "step_shaped_rewards"), &[0.4, 0.0, 0.15, 0.0148148148]);
}

#[test]
fn oni_pays_nothing_for_what_is_not_labelled_or_not_said() {
    let columns = json!({
        "step_rewards": [0.5, 0.5], "step_messages": ["", "a"], "step_message_labels": [1.0, null],
        "step_message_probabilities": [0.9, 0.4], "step_message_scores": [2.0, -3.0],
    });
    let rows = json!([stepped(2, columns)]);
    for labels in ["retrieval", "classification", "ranking"] {
        let result = given("oni", json!({ "labels": labels, "c_ext": 10.0 }), rows.clone());
        close(&signal(&result, "r0", "step_shaped_rewards"), &[5.0, 5.0]);
    }
}

#[test]
fn oni_standardises_scores_and_drops_low_ones() {
    let columns = json!({
        "step_rewards": [0.0, 0.0, 0.0], "step_messages": ["a", "b", "c"], "step_message_scores": [1.0, 2.0, 3.0],
    });
    let result = given("oni", json!({"labels": "ranking", "c_llm": 1.0}), json!([stepped(3, columns)]));
    close(&signal(&result, "r0", "step_shaped_rewards"), &[0.0, 0.0, 1.5f64.sqrt()]);
}

#[test]
fn calm_has_the_numbers_of_its_section() {
    let hits = [[false, false], [true, false], [false, false], [true, false], [false, true]];
    let row = stepped(5, json!({"step_rewards": [0.0, 0.0, 0.0, 0.0, 1.0], "step_subgoal_hits": hits}));
    let result = given("calm", json!({}), json!([row]));
    close(&signal(&result, "r0", "step_shaped_rewards"), &[0.0, 1.0, 0.0, 0.0, 2.0]);
}

#[test]
fn calm_takes_what_could_not_be_parsed_for_a_miss() {
    let hits = json!([[null, true], [true, null], [null, null]]);
    let row = stepped(3, json!({"step_rewards": [0.0, 0.0, 0.5], "step_subgoal_hits": hits}));
    let result = given("calm", json!({"b": 2.0}), json!([row]));
    close(&signal(&result, "r0", "step_shaped_rewards"), &[2.0, 2.0, 0.5]);
    // Two subgoals at one step count once, and without a subgoal the reward is the environment's.
    let row =
        stepped(2, json!({"step_rewards": [0.0, 0.5], "step_subgoal_hits": [[true, true], [false, false]]}));
    close(&signal(&given("calm", json!({}), json!([row])), "r0", "step_shaped_rewards"), &[1.0, 0.5]);
}

#[test]
fn barfi_combines_and_reads_only_what_it_weighs() {
    let row = stepped(2, json!({"step_rewards": [0.0, 1.0], "step_auxiliary_rewards": [0.5, 0.0]}));
    let result = given("barfi", json!({"weights": [0.0, 2.0, 0.5], "gamma": 0.5}), json!([row]));
    close(&signal(&result, "r0", "step_shaped_rewards"), &[0.25, 2.0]);
    close(&signal(&result, "r0", "step_inner_returns"), &[1.25, 2.0]);
    let harmless = stepped(2, json!({"step_rewards": [0.0, 1.0]}));
    let result = given("barfi", json!({"weights": [0.0, 1.0, 0.0]}), json!([harmless]));
    close(&signal(&result, "r0", "step_shaped_rewards"), &[0.0, 1.0]);
    assert!(try_given("barfi", json!({"weights": [1.0]}), json!([{}])).is_err());
    let partly =
        stepped(3, json!({"step_rewards": [1.0, null, 1.0], "step_auxiliary_rewards": [0.5, 0.5, 0.5]}));
    let result = given("barfi", json!({}), json!([partly]));
    close(&signal(&result, "r0", "step_inner_returns"), &[f64::NAN, f64::NAN, 1.5]);
    assert!(try_given("barfi", json!({"weights": [0.0, 0.0, 0.0]}), json!([{}])).is_err());
}

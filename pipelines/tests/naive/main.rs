//! Recipes against independent implementations: plain loops over rows, on a thousand random groups each.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod data;
#[path = "../golden/load.rs"]
#[allow(dead_code)]
mod load;
mod methods;
mod trees;

use arrow::array::{AsArray, BooleanArray};
use arrow::datatypes::Float32Type;
use meed_pipelines::find;
use serde_json::{Value, json};

use data::{Random, Rollout, group, rows};
use methods::Advantages;

const GROUPS: usize = 1000;

/// Compares a recipe with a method on random groups that are assigned together.
fn agrees(recipe: &str, settings: Value, method: impl Fn(&[Rollout]) -> Advantages) {
    let random = &mut Random(0x5eed ^ recipe.len() as u64);
    let groups: Vec<Vec<Rollout>> = (0..GROUPS).map(|_| group(random)).collect();
    let all: Vec<Value> =
        groups.iter().enumerate().flat_map(|(number, rollouts)| rows(number, rollouts)).collect();
    let settings: Vec<(String, Value)> =
        settings.as_object().expect("settings").clone().into_iter().collect();
    let given = find(recipe)
        .and_then(|recipe| recipe.in_memory(&settings, load::rollouts(&all).expect("rollouts")))
        .unwrap_or_else(|error| panic!("{recipe}: {error}; {}", error.hint()));
    let rows = given.rows.expect("advantages");
    let (lists, trained) = (rows["token_advantages"].as_list::<i32>(), rows["in_loss"].as_boolean());
    assert_eq!(trained, &BooleanArray::from(vec![true; rows.num_rows()]), "{recipe}: all are trained on");
    let ids: Vec<(&str, &str)> = rows["group_id"]
        .as_string::<i32>()
        .iter()
        .zip(rows["rollout_id"].as_string::<i32>().iter())
        .map(|(group, rollout)| (group.expect("a group"), rollout.expect("a rollout")))
        .collect();
    let mut nonzero = 0;
    for (row, (group, rollout)) in ids.into_iter().enumerate() {
        let number = |id: &str| id.rsplit('.').next().and_then(|id| id.parse().ok()).expect("a number");
        let (of_group, of_rollout): (usize, usize) = (number(group), number(rollout));
        let wanted = &method(&groups[of_group])[of_rollout];
        let got = lists.value(row);
        let got = got.as_primitive::<Float32Type>().values();
        assert_eq!(got.len(), wanted.len(), "{recipe}: {group} {rollout}");
        for (token, (got, wanted)) in got.iter().zip(wanted).enumerate() {
            let close = (f64::from(*got) - wanted).abs() <= 1e-5 * wanted.abs().max(1.0);
            assert!(close, "{recipe}: {group} {rollout} token {token}: {got}, naive {wanted}");
            nonzero += usize::from(*wanted != 0.0);
        }
    }
    assert!(nonzero > GROUPS, "{recipe}: the naive method gives almost nothing");
}

#[test]
fn agents() {
    agrees("dr_mas", json!({}), methods::dr_mas);
    agrees("leave_one_agent_out", json!({}), methods::leave_one_agent_out);
}

#[test]
fn tokens() {
    agrees("spro", json!({}), methods::spro);
}

#[test]
fn turns() {
    agrees("mapo", json!({}), methods::mapo);
    agrees("aem", json!({}), methods::aem);
    agrees("mt_grpo", json!({}), methods::mt_grpo);
    agrees("turn_baseline", json!({}), methods::turn_baseline);
    agrees("turn_ppo", json!({}), methods::turn_ppo);
    agrees("igpo", json!({ "zero_gains": "merged" }), methods::igpo);
}

#[test]
fn denoising_steps() {
    agrees("flow_grpo", json!({}), methods::flow_grpo);
    agrees("dense_grpo", json!({}), methods::dense_grpo);
}

#[test]
fn trees() {
    agrees("salt", json!({}), trees::salt);
    agrees("treeps_rag", json!({}), trees::treeps_rag);
    agrees("treerl", json!({}), trees::treerl);
    agrees("carl", json!({ "shared": "each" }), trees::carl);
}

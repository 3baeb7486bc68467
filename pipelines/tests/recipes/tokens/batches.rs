//! What looks at the whole batch, d3s and delta_token, and what draws, masked_thought.

use serde_json::{Value, json};

use super::{group_of_four, same_as};
use crate::support::{advantages, close, given, in_loss, list, signal, try_given};

/// One group whose rewards have mean 0, so that they are the advantages.
fn eight() -> Value {
    let rewards = [1.2, -0.4, -0.4, -0.4, 0.5, 0.5, -1.5, 0.5];
    rewards.into_iter().map(|reward| json!({ "reward": reward, "token_mask": [true, true] })).collect()
}

/// The numeric check of the section, with ties in canonical order.
#[test]
fn d3s_keeps_the_ends_of_the_batch() {
    let settings = json!({ "scale": "none", "tokens_initial": 1 });
    let got = given("d3s", settings, eight());
    let kept: Vec<f64> = (0..8).flat_map(|i| list(&got, &format!("r{i}"), "token_weights")).collect();
    let rollouts = [1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0];
    close(&kept, &rollouts.map(|weight| [weight, weight]).concat());
    close(&advantages(&got, "r0"), &[1.2, 1.2]);
}

/// Of the eight tokens of the four kept rollouts a share of 0.5 is kept, by |A| H; those of other rollouts do
/// not compete.
#[test]
fn d3s_keeps_the_tokens_that_matter() {
    let mut rollouts = eight();
    let entropies = [[1, 2], [5, 3], [9, 9], [9, 9], [4, 0], [9, 9], [0, 1], [9, 9]];
    for (rollout, entropies) in rollouts.as_array_mut().unwrap().iter_mut().zip(entropies) {
        rollout["token_entropies"] = json!(entropies);
    }
    let got = given("d3s", json!({ "scale": "none", "tokens_initial": 0.5 }), rollouts);
    // 1.2, 2.4; 2.0, 1.2; 2.0, 0; 0, 1.5.
    let wanted =
        [("r0", [0.0, 1.0]), ("r1", [1.0, 0.0]), ("r4", [1.0, 0.0]), ("r6", [0.0, 1.0]), ("r2", [0.0, 0.0])];
    for (id, wanted) in wanted {
        close(&list(&got, id, "token_weights"), &wanted);
    }
}

#[test]
fn d3s_relaxes_with_the_iterations() {
    let later = |iteration: i64| {
        let mut rollouts = eight();
        rollouts
            .as_array_mut()
            .unwrap()
            .iter_mut()
            .for_each(|rollout| rollout["iteration"] = json!(iteration));
        let settings = json!({ "scale": "none", "tokens_initial": 1, "start": 10, "end": 20 });
        let got = given("d3s", settings, rollouts);
        (0..8).filter(|i| list(&got, &format!("r{i}"), "token_weights")[0] > 0.0).count()
    };
    assert_eq!([0, 10, 15, 20, 99].map(later), [4, 4, 6, 8, 8]);
}

#[test]
fn d3s_that_keeps_everything_is_grpo() {
    let rollouts = eight();
    let got = given("d3s", json!({ "rollouts_initial": 1, "tokens_initial": 1 }), rollouts.clone());
    same_as("grpo", json!({}), &got, &rollouts);
    (0..8).for_each(|i| close(&list(&got, &format!("r{i}"), "token_weights"), &[1.0, 1.0]));
    let error = try_given("d3s", json!({}), rollouts).err().unwrap();
    assert!(error.to_string().contains("token_entropies"), "{error}");
    // Nothing to choose among: the batch stays whole.
    let equal: Value = (0..4)
        .map(|_| json!({ "reward": 1, "token_mask": [true, false], "token_entropies": [1, 1] }))
        .collect();
    let got = given("d3s", json!({}), equal);
    (0..4).for_each(|i| close(&list(&got, &format!("r{i}"), "token_weights"), &[1.0, 0.0]));
}

/// The section's four tokens, in two rollouts with advantages 1 and -1.
fn telling() -> Value {
    let rollout = |advantage: i32, hidden: Value, chosen: [f64; 2]| {
        json!({
            "reward": advantage, "advantage": advantage, "token_mask": [true, true],
            "token_old_logprobs": chosen.map(f64::ln), "token_hidden_states": hidden,
        })
    };
    json!([
        rollout(1, json!([[1, 0], [0, 1]]), [0.5, 0.8]),
        rollout(-1, json!([[1, 1], [0, -1]]), [0.2, 0.6]),
    ])
}

/// The numeric check of the section; the group-relative advantage of 1 and -1 without a scale is theirs.
#[test]
fn delta_token_of_four_tokens() {
    for settings in [json!({ "advantage": "advantage" }), json!({ "scale": "none" })] {
        let got = given("delta_token", settings, telling());
        close(&advantages(&got, "r0"), &[1.04662907, 1.10923539]);
        close(&advantages(&got, "r1"), &[-1.08946904, -0.75466650]);
    }
    let same = given("delta_token", json!({ "weight_low": 1, "weight_high": 1 }), telling());
    same_as("grpo", json!({}), &same, &telling());
}

#[test]
fn delta_token_of_masked_tokens_missing_vectors_and_iterations() {
    let mut rollouts = telling();
    // What is masked has no part in it, whatever it holds.
    for rollout in rollouts.as_array_mut().unwrap() {
        rollout["iteration"] = json!(0);
        rollout["token_mask"] = json!([true, true, false]);
        rollout["token_old_logprobs"].as_array_mut().unwrap().push(json!(-1.0));
        rollout["token_hidden_states"].as_array_mut().unwrap().push(json!([100, 100]));
    }
    // Nor has a group of another iteration, or one whose vectors are lost.
    let mut other = rollouts[0].clone();
    (other["iteration"], other["token_hidden_states"]) = (json!(1), json!([[3, 0], [0, 3], [0, 0]]));
    rollouts.as_array_mut().unwrap().push(other);
    let mut lost = rollouts[0].clone();
    (lost["group_id"], lost["token_hidden_states"]) = (json!("h"), json!(null));
    rollouts.as_array_mut().unwrap().push(lost);
    let got = given("delta_token", json!({ "advantage": "advantage" }), rollouts);
    close(&advantages(&got, "r0"), &[1.04662907, 1.10923539, 0.0]);
    close(&advantages(&got, "r1"), &[-1.08946904, -0.75466650, 0.0]);
    assert!(!in_loss(&got, "r3"));
    close(&[signal(&got, "r2", "token_weights")[..2].iter().sum::<f64>()], &[2.0]);
}

#[test]
fn delta_token_says_what_is_missing_or_misshapen() {
    let error = try_given("delta_token", json!({}), group_of_four(|_| json!({}))).err().unwrap();
    assert!(error.to_string().contains("token_hidden_states"), "{error}");
    assert!(error.hint().contains("hidden states"), "{}", error.hint());
    let with = |hidden: Value| {
        let mut rollouts = telling();
        rollouts[1]["token_hidden_states"] = hidden;
        try_given("delta_token", json!({}), rollouts).err().unwrap().to_string()
    };
    assert!(with(json!([[1, 1]])).contains("1 elements, but `token_mask` has 2"));
    assert!(with(json!([[1, 1], [1]])).contains("1 numbers"));
    let mut other_group = telling();
    for (key, value) in [("group_id", json!("h")), ("token_hidden_states", json!([[1, 2, 3], [1, 2, 3]]))] {
        other_group[1][key] = value;
    }
    let error = try_given("delta_token", json!({ "advantage": "advantage" }), other_group).err().unwrap();
    assert!(error.to_string().contains("have 3 numbers"), "{error}");
}

#[test]
fn masked_thought_masks_its_share() {
    let rollout =
        |iteration: i64| json!({ "reward": 1, "iteration": iteration, "token_mask": vec![true; 4000] });
    let rollouts = json!([rollout(0), rollout(37_500), rollout(75_000)]);
    let got = given("masked_thought", json!({ "probability": 0.4, "warm_up": 75_000 }), rollouts.clone());
    // The numeric check of the section is the middle one.
    for (id, wanted) in [("r0", 0.0), ("r1", 0.2), ("r2", 0.4)] {
        close(&signal(&got, id, "masking_probability"), &[wanted]);
        let share = signal(&got, id, "token_masked").iter().sum::<f64>() / 4000.0;
        assert!((share - wanted).abs() < 0.03, "{id}: {share}");
        close(&advantages(&got, id), &[1.0; 4000]);
    }
    let drawn = |seed: u64| {
        let got = given("masked_thought", json!({ "seed": seed }), rollouts.clone());
        ["r0", "r1"].map(|id| signal(&got, id, "token_masked"))
    };
    assert_eq!(drawn(0), drawn(0));
    assert_ne!(drawn(0), drawn(1));
    let [early, late] = drawn(0);
    assert_ne!(early, late, "another iteration masks other tokens");
    let plain = given("masked_thought", json!({ "probability": 0 }), rollouts);
    assert!(signal(&plain, "r0", "token_masked").iter().all(|masked| *masked == 0.0));
}

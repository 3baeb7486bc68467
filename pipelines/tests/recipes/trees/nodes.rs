//! Recipes over nodes of a tree: the checks of their sections.

use serde_json::{Value, json};

use crate::support::{advantages, close, given, list, signal};

/// Rollouts that are paths to leaves: outcome, and the node of each step; every step has one token.
fn paths(of: &[(f64, &[i64])]) -> Value {
    let rollout = |&(reward, nodes): &(f64, &[i64])| {
        let ends: Vec<usize> = (1..=nodes.len()).collect();
        json!({
            "reward": reward, "step_nodes": nodes, "step_ends": ends,
            "step_kinds": vec!["policy"; nodes.len()], "token_mask": vec![true; nodes.len()],
        })
    };
    of.iter().map(rollout).collect()
}

/// Two steps with two continuations each: 1, 0, 0, 0.
fn binary() -> Value {
    paths(&[(1.0, &[1, 11]), (0.0, &[1, 12]), (0.0, &[2, 21]), (0.0, &[2, 22])])
}

fn check(recipe: &str, settings: Value, rollouts: Value, wanted: &[&[f64]]) {
    let given = given(recipe, settings, rollouts);
    for (at, wanted) in wanted.iter().enumerate() {
        close(&advantages(&given, &format!("r{at}")), wanted);
    }
}

#[test]
fn treeps_rag_compares_with_the_parent() {
    let once = 0.707105;
    let z = [once, 2.0 * once];
    check(
        "treeps_rag",
        json!({ "shared": "each" }),
        binary(),
        &[&[z[0], z[1]], &[z[0], -z[1]], &[-z[0], 0.0], &[-z[0], 0.0]],
    );
    let given = given("treeps_rag", json!({ "advantage": "global_and_local" }), binary());
    let wanted = [[0.5, 1.25], [0.5, -0.75], [-0.5, -0.25], [-0.5, -0.25]];
    for (at, wanted) in wanted.iter().enumerate() {
        close(&signal(&given, &format!("r{at}"), "node_advantages"), wanted);
    }
}

#[test]
fn shared_nodes_are_trained_on_once() {
    let given = given("treeps_rag", json!({}), binary());
    for (id, weights) in [("r0", [1.0, 1.0]), ("r1", [0.0, 1.0]), ("r2", [1.0, 1.0]), ("r3", [0.0, 1.0])] {
        close(&list(&given, id, "token_weights"), &weights);
    }
}

/// Without a fork the tree is one node per rollout, and its nodes are the rollouts.
#[test]
fn treeps_rag_of_separate_rollouts_is_grpo() {
    let rollouts = paths(&[(1.0, &[1]), (0.0, &[2]), (0.5, &[3])]);
    let (tree, grpo) = (given("treeps_rag", json!({}), rollouts.clone()), given("grpo", json!({}), rollouts));
    for id in ["r0", "r1", "r2"] {
        close(&advantages(&tree, id), &advantages(&grpo, id));
    }
}

#[test]
fn treeps_rag_of_tokens_is_that_of_steps() {
    let mut rollouts = binary();
    for row in rollouts.as_array_mut().unwrap() {
        row["token_ids"] = row["step_nodes"].clone();
    }
    let settings = |tree: &str| json!({ "tree": tree });
    let (steps, tokens) = (
        given("treeps_rag", settings("steps"), rollouts.clone()),
        given("treeps_rag", settings("tokens"), rollouts),
    );
    for id in ["r0", "r1", "r2", "r3"] {
        close(&advantages(&steps, id), &advantages(&tokens, id));
        close(&list(&steps, id, "token_weights"), &list(&tokens, id, "token_weights"));
    }
}

#[test]
fn portool_of_a_tree_of_tools() {
    // a = 0, b = 1, c = 2, d = 3, e = 4, f = 5; the format is kept by all but f.
    let mut rollouts = paths(&[(1.0, &[0, 1, 2]), (0.0, &[0, 1, 3]), (1.0, &[0, 4]), (0.0, &[5])]);
    for row in rollouts.as_array_mut().unwrap() {
        row["step_format_ok"] =
            row["step_nodes"].as_array().unwrap().iter().map(|node| json!(node != &json!(5))).collect();
    }
    check(
        "portool",
        json!({}),
        rollouts.clone(),
        &[
            &[1.573129, 0.158919, 1.573130],
            &[-0.158919, -1.573129, -1.573130],
            &[1.573129, 1.573129],
            &[-1.573129],
        ],
    );
    let given = given("portool", json!({}), rollouts);
    close(&signal(&given, "r0", "step_node_rewards"), &[0.7175, 0.575, 1.1]);
    close(&signal(&given, "r3", "step_node_rewards"), &[0.0]);
}

/// Alone on its way, after the fork, a rollout has only its advantage in the group.
#[test]
fn portool_without_forks_is_grpo() {
    let rollouts = paths(&[(1.0, &[1, 2]), (0.0, &[3, 4])]);
    let settings = json!({ "format_weight": 0 });
    let (portool, grpo) = (given("portool", settings, rollouts.clone()), given("grpo", json!({}), rollouts));
    for id in ["r0", "r1"] {
        let (portool, grpo) = (advantages(&portool, id), advantages(&grpo, id));
        close(&portool[1..], &grpo[1..]);
        assert!((portool[0] - grpo[0]).abs() > 0.1, "{id}: the first step has siblings");
    }
}

/// A root with A{1, 1, 0} and B{0}; every segment has ten tokens.
fn segments() -> Value {
    let rollout = |(reward, nodes): (f64, [Option<i64>; 2])| {
        let nodes: Vec<i64> = nodes.into_iter().flatten().collect();
        let ends: Vec<usize> = (1..=nodes.len()).map(|step| 10 * step).collect();
        json!({
            "reward": reward, "step_nodes": nodes, "step_ends": ends,
            "step_kinds": vec!["policy"; nodes.len()], "token_mask": vec![true; 10 * nodes.len()],
        })
    };
    let leaves = [
        (1.0, [Some(1), Some(11)]),
        (1.0, [Some(1), Some(12)]),
        (0.0, [Some(1), Some(13)]),
        (0.0, [Some(2), None]),
    ];
    leaves.into_iter().map(rollout).collect()
}

#[test]
fn treerl_of_the_paper() {
    let given = given("treerl", json!({}), segments());
    let wanted: [&[f64]; 4] = [
        &[0.1924500897, 0.8333333333],
        &[0.1924500897, 0.8333333333],
        &[0.1924500897, -1.1666666667],
        &[-1.0],
    ];
    for (at, wanted) in wanted.into_iter().enumerate() {
        close(&signal(&given, &format!("r{at}"), "advantage"), wanted);
    }
}

/// The mean over the tokens of the tree counts a node as often as leaves are below.
#[test]
fn treerl_of_the_released_program() {
    let given = given("treerl", json!({ "form": "code" }), segments());
    close(&signal(&given, "r0", "center"), &[0.0952380952]);
    let wanted: [&[f64]; 4] = [
        &[0.1942476874, 1.0695428230],
        &[0.1942476874, 1.0695428230],
        &[0.1942476874, -1.5971238437],
        &[-1.4761904762],
    ];
    for (at, wanted) in wanted.into_iter().enumerate() {
        close(&signal(&given, &format!("r{at}"), "advantage"), wanted);
    }
}

#[test]
fn treerpo_compares_siblings() {
    let z = 0.707105;
    check("treerpo", json!({ "shared": "each" }), binary(), &[&[z, z], &[z, -z], &[-z, 0.0], &[-z, 0.0]]);
    // Children count as much as each other, however many leaves are below.
    let uneven = paths(&[(1.0, &[1, 11]), (1.0, &[1, 12]), (1.0, &[1, 13]), (0.0, &[2]), (0.5, &[3])]);
    let given = given("treerpo", json!({ "scale": "none" }), uneven);
    close(&advantages(&given, "r0"), &[0.5, 0.0]);
    close(&advantages(&given, "r3"), &[-0.5]);
}

#[test]
fn treerpo_of_separate_rollouts_is_grpo() {
    let rollouts = paths(&[(1.0, &[1]), (0.0, &[2]), (0.5, &[3])]);
    let (tree, grpo) = (given("treerpo", json!({}), rollouts.clone()), given("grpo", json!({}), rollouts));
    for id in ["r0", "r1", "r2"] {
        close(&advantages(&tree, id), &advantages(&grpo, id));
    }
}

#[test]
fn carl_trains_on_forks_only() {
    let rollouts = paths(&[(1.0, &[1, 3, 5]), (0.5, &[1, 3, 6]), (0.25, &[2, 4])]);
    let given = given("carl", json!({}), rollouts);
    close(&advantages(&given, "r0"), &[0.25, 0.0, 0.25]);
    close(&advantages(&given, "r2"), &[-0.25, 0.0]);
    close(&list(&given, "r0", "token_weights"), &[1.0, 0.0, 1.0]);
    close(&list(&given, "r1", "token_weights"), &[0.0, 0.0, 1.0]);
    close(&list(&given, "r2", "token_weights"), &[1.0, 0.0]);
}

#[test]
fn spo_of_a_tree() {
    let leaves = paths(&[(1.0, &[1]), (0.0, &[2]), (1.0, &[3]), (0.0, &[4])]);
    check("spo", json!({ "variant": "tree" }), leaves.clone(), &[&[0.5], &[-0.5], &[0.5], &[-0.5]]);
    let z = 0.86602539;
    check("spo", json!({ "variant": "tree", "style": "grpo" }), leaves, &[&[z], &[-z], &[z], &[-z]]);
    let given = given("spo", json!({ "variant": "tree" }), binary());
    close(&list(&given, "r2", "token_weights"), &[1.0, 0.0]);
    close(&list(&given, "r3", "token_weights"), &[0.0, 0.0]);
}

/// An only child whose parent is another rollout's end, and equal siblings beside such an end: nothing to deviate from.
#[test]
fn spo_of_rollouts_that_end_inside_the_tree() {
    let ended = paths(&[(1.0, &[1, 11]), (0.0, &[1]), (0.5, &[2])]);
    let given_tree = |style: &str| given("spo", json!({ "variant": "tree", "style": style }), ended.clone());
    close(&advantages(&given_tree("rloo"), "r0"), &[0.0, 0.5]);
    close(&advantages(&given_tree("grpo"), "r0"), &[0.0, 0.0]);
    let equal = paths(&[(1.0, &[1, 11]), (1.0, &[1, 12]), (0.0, &[1])]);
    let got = given("spo", json!({ "variant": "tree", "style": "grpo" }), equal);
    close(&advantages(&got, "r0"), &[0.0, 0.0]);
}

/// What is not trained on has no say in the value of a node that it passes, and changes no fork.
#[test]
fn rollouts_that_do_not_count_are_in_no_value() {
    let mut with = paths(&[
        (1.0, &[1, 11]),
        (0.0, &[1, 12]),
        (0.0, &[2, 21]),
        (0.0, &[2, 22]),
        (9.0, &[1, 11]),
        (9.0, &[3]),
        (9.0, &[1, 13]),
    ]);
    with[4]["token_mask"] = json!([false, false]);
    with[5]["token_mask"] = json!([false]);
    with[6]["reward"] = Value::Null;
    for (at, row) in with.as_array_mut().unwrap().iter_mut().enumerate() {
        // What does not count is the first to pass its nodes.
        row["rollout_id"] = json!(if at < 4 { format!("r{at}") } else { format!("a{at}") });
        row["step_format_ok"] = json!(vec![true; row["step_nodes"].as_array().unwrap().len()]);
    }
    let without: Value = with.as_array().unwrap()[..4].to_vec().into();
    for (recipe, settings) in [
        ("carl", json!({})),
        ("portool", json!({})),
        ("spo", json!({ "variant": "tree" })),
        ("spo", json!({ "variant": "tree", "style": "grpo" })),
        ("treeps_rag", json!({})),
        ("treerl", json!({})),
        ("treerl", json!({ "form": "code" })),
        ("treerpo", json!({})),
    ] {
        let got = given(recipe, settings.clone(), with.clone());
        let plain = given(recipe, settings, without.clone());
        for id in ["r0", "r1", "r2", "r3"] {
            close(&advantages(&got, id), &advantages(&plain, id));
            close(&list(&got, id, "token_weights"), &list(&plain, id, "token_weights"));
        }
    }
}

/// Steps of the environment before, between and after: with a node they are in it, without one they are nowhere.
#[test]
fn steps_of_the_environment_are_no_nodes() {
    let mut rollouts = binary();
    for row in rollouts.as_array_mut().unwrap() {
        let nodes = row["step_nodes"].clone();
        row["step_nodes"] = json!([null, nodes[0], nodes[0], nodes[1], null]);
        row["step_kinds"] = json!(["user", "policy", "observation", "policy", "observation"]);
        row["step_ends"] = json!([1, 2, 3, 4, 5]);
        row["token_mask"] = json!([false, true, false, true, false]);
    }
    for recipe in ["carl", "treeps_rag", "treerl", "treerpo"] {
        let got = given(recipe, json!({}), rollouts.clone());
        let plain = given(recipe, json!({}), binary());
        for id in ["r0", "r1", "r2", "r3"] {
            let [first, second] = advantages(&plain, id)[..] else { panic!("two tokens") };
            close(&advantages(&got, id), &[0.0, first, 0.0, second, 0.0]);
        }
    }
}

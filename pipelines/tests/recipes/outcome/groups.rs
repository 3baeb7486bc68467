//! adora, a_grae, max_rl, knapsack_rl: the group as a whole changes the advantage.

use serde_json::{Value, json};

use super::{of_rollouts, rewarded, same};
use crate::support::{advantages, close, given, signal};

/// Rollouts of a group with these rewards and lengths.
fn long(rewards: &[f64], lengths: &[usize]) -> Value {
    rewards
        .iter()
        .zip(lengths)
        .map(|(reward, length)| json!({"reward": reward, "token_mask": vec![true; *length]}))
        .collect()
}

#[test]
fn adora_attenuates_where_right_answers_are_not_the_longer_ones() {
    let a = 0.86602465;
    let longer = long(&[2.0, 0.0, 2.0, 0.0], &[300, 500, 750, 700]);
    close(&of_rollouts("adora", json!({}), longer), &[a, -a, a, -a]);
    let shorter = long(&[2.0, 0.0, 2.0, 0.0], &[300, 500, 450, 700]);
    close(&of_rollouts("adora", json!({}), shorter.clone()), &[0.1 * a, -0.1 * a, 0.1 * a, -0.1 * a]);
    same("adora", json!({"attenuation": 1.0}), "grpo", json!({}), shorter);
}

#[test]
fn adora_counts_trainable_tokens_of_answers_that_are_not_cut_off() {
    // 5 of 9 tokens are the policy's: no longer than the wrong answer.
    let holes = [true, false, true, false, true, false, true, false, true];
    let rollouts = json!([
        {"reward": 2.0, "token_mask": holes},
        {"reward": 0.0, "token_mask": vec![true; 5]},
        {"reward": 0.0, "token_mask": vec![true; 9]},
    ]);
    let given = given("adora", json!({"max_length": 9}), rollouts.clone());
    assert_eq!(signal(&given, "r0", "longest_correct"), [5.0]);
    assert_eq!(signal(&given, "r0", "mean_wrong_length"), [5.0]);
    assert_eq!(signal(&given, "r0", "group_weight"), [0.1]);
    let all = crate::support::given("adora", json!({"max_length": 10}), rollouts);
    assert_eq!(signal(&all, "r0", "mean_wrong_length"), [7.0]);
}

#[test]
fn adora_s_two_programs_differ_where_a_class_is_missing() {
    for (reward, variant, weight) in
        [(2.0, "llm", 1.0), (2.0, "vl", 0.1), (0.0, "llm", 0.1), (0.0, "vl", 1.0)]
    {
        let given = given("adora", json!({"variant": variant}), rewarded(&[reward; 3]));
        assert_eq!(signal(&given, "r1", "group_weight"), [weight], "{variant}, rewards {reward}");
        close(&advantages(&given, "r1"), &[0.0, 0.0]);
    }
    close(&of_rollouts("adora", json!({}), rewarded(&[0.5])), &[0.05]);
    close(&of_rollouts("adora", json!({"singleton": "zero"}), rewarded(&[0.5])), &[0.0]);
}

/// Groups of one iteration.
fn groups(of: &[&[f64]]) -> Value {
    let rows = of.iter().enumerate().flat_map(|(group, rewards)| {
        rewards.iter().map(move |reward| json!({"group_id": format!("g{group}"), "reward": reward}))
    });
    rows.collect()
}

#[test]
fn a_grae_by_the_sections_numbers() {
    let two = groups(&[&[1.0, 0.0, 0.0, 0.0], &[1.0, 1.0, 1.0, 0.0]]);
    let (hard, easy) = ([0.68301270, -0.45534180], [0.22767090, -1.36602540]);
    let wanted = [hard[0], hard[1], hard[1], hard[1], easy[0], easy[0], easy[0], easy[1]];
    close(&of_rollouts("a_grae", json!({}), two), &wanted);
    let alike = groups(&[&[1.0, 0.0, 0.0, 0.0], &[1.0, 0.0, 0.0, 0.0]]);
    let (right, wrong) = (0.29575318, -0.39433757);
    let wanted = [right, wrong, wrong, wrong, right, wrong, wrong, wrong];
    close(&of_rollouts("a_grae", json!({}), alike.clone()), &wanted);
    // Once the mean reward has reached alpha, positive advantages count in full.
    let full: Vec<f64> = wanted.iter().map(|&a| if a > 0.0 { 4.0 * a } else { a }).collect();
    close(&of_rollouts("a_grae", json!({"alpha": 0.25}), alike), &full);
}

#[test]
fn a_grae_reduces_to_grpo_where_its_equation_says_so() {
    let population = json!({"ddof": 0, "eps": 0.0});
    let uneven = || groups(&[&[1.0, 0.0, 0.0, 0.0], &[1.0, 0.0]]);
    let one = json!({"variant": "negative_dominant", "beta": 1.0});
    same("a_grae", one, "grpo", population.clone(), uneven());
    let quarter = || groups(&[&[1.0, 0.0, 0.0, 0.0]]);
    same("a_grae", json!({"variant": "hard_focused"}), "grpo", population.clone(), quarter());
    let three = groups(&[&[1.0, 1.0, 1.0, 0.0]]);
    same("a_grae", json!({"variant": "easy_focused"}), "grpo", population, three);
    // At p = 1/2 the training state has no say: A / sqrt(2), however alpha is.
    let root = 0.5f64.sqrt();
    let half = of_rollouts("a_grae", json!({"alpha": 0.01}), groups(&[&[1.0, 0.0], &[0.0, 0.0, 0.0]]));
    close(&half, &[root, -root, 0.0, 0.0, 0.0]);
}

#[test]
fn a_grae_gives_nothing_without_a_mixed_group() {
    for variant in ["a_grae", "negative_dominant", "hard_focused", "easy_focused"] {
        let settings = json!({"variant": variant});
        let flat = groups(&[&[1.0, 1.0], &[0.0, 0.0], &[1.0], &[0.5, 0.5]]);
        close(&of_rollouts("a_grae", settings, flat), &[0.0; 7]);
    }
}

#[test]
fn max_rl_divides_by_the_mean() {
    close(&of_rollouts("max_rl", json!({}), rewarded(&[1.0, 0.0, 0.0, 0.0])), &[3.0, -1.0, -1.0, -1.0]);
    close(&of_rollouts("max_rl", json!({}), rewarded(&[0.0, 0.0])), &[0.0, 0.0]);
}

#[test]
fn knapsack_values_what_a_group_was_worth() {
    for (size, rate, worth) in
        [(2, 0.5, 0.0625), (8, 0.1, 0.0461321552), (8, 0.5, 0.1240234375), (8, 0.9, 0.0051257950)]
    {
        let given = given("knapsack_rl", json!({}), rewarded(&vec![rate; size]));
        close(&signal(&given, "r0", "rollout_value"), &[worth]);
    }
    for rewards in [[0.0, 0.0], [1.0, 1.0]] {
        let given = given("knapsack_rl", json!({}), rewarded(&rewards));
        assert_eq!(signal(&given, "r0", "rollout_value"), [0.0]);
    }
    same("knapsack_rl", json!({}), "grpo", json!({}), groups(&[&[1.0, 0.0], &[1.0, 0.0, 0.0]]));
}

#[test]
fn knapsack_gives_the_next_rollouts_where_they_are_worth_most() {
    let of = |right: usize| -> Vec<f64> { (0..10).map(|at| f64::from(u8::from(at < right))).collect() };
    let (hard, even, easy) = (of(1), of(5), of(9));
    let settings = json!({"rollouts_per_prompt": 4, "low": 2, "high": 8});
    let three = given("knapsack_rl", settings, groups(&[&hard, &even, &easy]));
    let next: Vec<f64> =
        [0, 10, 20].iter().map(|row| signal(&three, &format!("r{row}"), "next_rollouts")[0]).collect();
    assert_eq!(next, [5.0, 5.0, 2.0]);
    // Without the parameter as many as there are, all of them where the prompt is not solved.
    let two = given("knapsack_rl", json!({}), groups(&[&[0.0, 0.0, 0.0], &[1.0, 1.0]]));
    assert_eq!([0, 3].map(|row| signal(&two, &format!("r{row}"), "next_rollouts")[0]), [3.0, 2.0]);
    let warm = given("knapsack_rl", json!({"warm_up": 1}), groups(&[&[0.0, 0.0, 0.0], &[1.0]]));
    assert_eq!([0, 3].map(|row| signal(&warm, &format!("r{row}"), "next_rollouts")[0]), [2.0, 2.0]);
    let error = crate::support::try_given("knapsack_rl", json!({}), groups(&[&[3.0, 3.0]])).err().unwrap();
    assert!(error.hint().contains("scale"), "{}", error.hint());
}

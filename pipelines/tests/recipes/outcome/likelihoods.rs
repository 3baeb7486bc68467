//! likelihood_rewards, reft: probabilities of tokens.

use serde_json::{Value, json};

use super::{missing, of_rollouts, rewarded, same};
use crate::support::{advantages, close, given, signal};

const PROBABILITIES: [[f64; 2]; 4] = [[0.5, 0.9], [0.2, 0.5], [0.8, 0.8], [0.1, 0.4]];

fn reasoned() -> Value {
    PROBABILITIES
        .iter()
        .map(|p| json!({"reward": 1.0, "token_mask": [true], "gold_token_logprobs": p.map(f64::ln)}))
        .collect()
}

#[test]
fn likelihoods_by_the_sections_numbers() {
    for (form, rewards, wanted) in [
        ("prob", [0.45, 0.1, 0.64, 0.04], [0.19, -0.27666667, 0.44333333, -0.35666667]),
        ("avg_prob", [0.7, 0.35, 0.8, 0.25], [0.23333333, -0.23333333, 0.36666667, -0.36666667]),
        (
            "log_prob",
            [-0.7985077, -(10f64.ln()), -0.4462871, -3.21887582],
            [1.19074164, -0.81469489, 1.6603691, -2.03641586],
        ),
        (
            "avg_log_prob",
            [-0.39925385, -1.151292545, -0.22314355, -1.60943791],
            [0.59537082, -0.40734744, 0.83018455, -1.01820793],
        ),
    ] {
        let given = given("likelihood_rewards", json!({"form": form}), reasoned());
        for row in 0..4 {
            let id = format!("r{row}");
            close(&signal(&given, &id, "rewards"), &[rewards[row]]);
            close(&advantages(&given, &id), &[wanted[row]]);
        }
        // The judge's likelihood in place of the tokens' gives the same.
        let judged: Value = rewards.iter().map(|reward| json!({"answer_likelihood": reward})).collect();
        close(&of_rollouts("likelihood_rewards", json!({"form": form}), judged), &wanted);
    }
}

#[test]
fn jepo_by_the_sections_numbers() {
    let given = given("likelihood_rewards", json!({"form": "jepo"}), reasoned());
    close(&signal(&given, "r0", "group_reward"), &[-1.1792801917]);
    let wanted = [0.1677934562, -0.2028855358, 0.4469648390, -0.2546212102];
    for (row, wanted) in wanted.iter().enumerate() {
        close(&advantages(&given, &format!("r{row}")), &[*wanted]);
    }
}

#[test]
fn the_reference_s_tokens_have_the_weights_of_the_pathwise_term() {
    for (form, wanted) in [
        ("prob", [0.45, 0.45]),
        ("avg_prob", [0.25, 0.45]),
        ("log_prob", [1.0, 1.0]),
        ("avg_log_prob", [0.5, 0.5]),
        ("jepo", [0.45 / 1.23, 0.45 / 1.23]),
        ("correct", [0.0, 0.0]),
    ] {
        let given = given("likelihood_rewards", json!({"form": form, "pathwise": true}), reasoned());
        close(&signal(&given, "r0", "gold_weights"), &wanted);
    }
}

#[test]
fn likelihood_edges() {
    same("likelihood_rewards", json!({"form": "correct"}), "rloo", json!({}), rewarded(&[1.0, 0.0, 0.0]));
    for form in ["prob", "jepo"] {
        let alone = json!([{"gold_token_logprobs": [-1.0, -2.0]}]);
        close(&of_rollouts("likelihood_rewards", json!({"form": form}), alone), &[0.0]);
        // Likelihoods that exp cannot hold stay finite.
        let far = json!([{"gold_token_logprobs": [-1e6]}, {"gold_token_logprobs": [0.0]}]);
        let settings = json!({"form": form, "least_logprob": -1e6});
        assert!(of_rollouts("likelihood_rewards", settings, far).iter().all(|a| a.is_finite()));
    }
    missing("likelihood_rewards", json!({}), rewarded(&[1.0, 0.0]), "gold_token_logprobs");
}

#[test]
fn reft_by_the_sections_numbers() {
    let rollout = |reward: f64, found: bool| {
        json!([{
            "reward": reward, "answer_found": found, "token_mask": [true, true, true],
            "token_old_logprobs": [-0.9, -1.05, -0.8], "token_ref_logprobs": [-1.0, -1.0, -1.0],
            "token_values": [0.3, 0.5, 0.6],
        }])
    };
    let right = given("reft", json!({}), rollout(1.0, true));
    close(&signal(&right, "r0", "token_rewards"), &[-0.005, 0.0025, 0.99]);
    close(&signal(&right, "r0", "token_gae"), &[0.64435, 0.473, 0.39]);
    close(&signal(&right, "r0", "returns"), &[0.94435, 0.973, 0.99]);
    close(&advantages(&right, "r0"), &[1.09400217, -0.22704978, -0.86695239]);
    for (found, terminal) in [(true, 0.1), (false, 0.0)] {
        let wrong = given("reft", json!({}), rollout(0.0, found));
        close(&signal(&wrong, "r0", "rewards"), &[terminal]);
    }
    missing("reft", json!({}), rewarded(&[1.0]), "token_");
}

#[test]
fn reft_without_divergence_is_gae() {
    let rollouts = json!([
        {"reward": 1.0, "token_mask": [true, false, true], "token_values": [0.2, 0.9, 0.4],
         "token_old_logprobs": [-1.0, -1.0, -1.0], "token_ref_logprobs": [-2.0, -2.0, -2.0]},
        {"reward": 0.0, "token_mask": [true, true], "token_values": [0.1, 0.3],
         "token_old_logprobs": [-1.0, -1.0], "token_ref_logprobs": [-1.0, -1.0]},
    ]);
    let none = json!({"beta": 0.0});
    same("reft", none, "gae", json!({"whiten": "batch_tokens"}), rollouts);
}

//! Recipes of the family `rewards`.

mod agents;
mod costs;
mod driving;
mod gates;
mod likelihoods;
mod protocols;
mod rankings;
mod references;
mod research;
mod stages;
mod states;
mod sums;
mod verdicts;
mod welfare;

use meed_pipelines::{InMemory, find};
use serde_json::{Value, json};

use crate::support::{signal, try_given};

/// A rollout-level signal of `count` rollouts, in order.
fn of_all(given: &InMemory, name: &str, count: usize) -> Vec<f64> {
    (0..count).flat_map(|number| signal(given, &format!("r{number}"), name)).collect()
}

/// The recipe refuses rollouts that lack a column it declares, and says what provides it.
fn needs(recipe: &str, settings: Value, column: &str) {
    let error = try_given(recipe, settings, json!([{"reward": 1.0}])).err().expect("a column is missing");
    assert!(error.to_string().contains(&format!("`{column}`")), "{recipe}: {error}");
    let declared = find(recipe).unwrap().inputs().find(|input| input.column == column);
    let provider = declared.unwrap_or_else(|| panic!("{recipe} does not declare {column}")).provider;
    assert!(error.hint().contains(provider), "{recipe}: {}", error.hint());
}

#[test]
fn missing_columns_are_named_with_what_provides_them() {
    let default = || json!({});
    needs("par", default(), "reference_rewards");
    needs("lsc", default(), "property_rewards");
    needs("searchllm", default(), "gate_scores");
    needs("openrubrics", default(), "vote_wins");
    needs("openrubrics", json!({"stage": "judge"}), "verdict_correct");
    needs("c2", default(), "preference_correct");
    needs("c2", json!({"stage": "generator"}), "preferred_logprob");
    needs("edualign", default(), "helpfulness");
    needs("resume_grpo", default(), "criterion_scores");
    needs("promptenhancer", default(), "keypoint_scores");
    needs("reg4rec", default(), "future_hits");
    needs("goal_conditioned_rm", default(), "token_hidden_states");
    needs("goal_conditioned_rm", json!({"goal": "given"}), "hidden_goals");
    needs("carr", default(), "rubric_mention_entities");
    needs("thoth", default(), "predicted_actions");
    needs("mm_r5", default(), "ranked_documents");
    needs("pagellm", default(), "page_reward");
    needs("search_r2", default(), "chunk_useful");
    needs("adasearch", default(), "parametric_pass_rate");
    needs("adasearch", json!({"stage": "modes"}), "prompt_mode");
    needs("med_r3", default(), "reasoning_score");
    needs("opagent", default(), "step_progress");
    needs("pre_grpo", default(), "turn_quality");
    needs("gtalign", json!({ "values": "none" }), "payoff_user");
    needs("carl_driving", default(), "step_penalty_factors");
}

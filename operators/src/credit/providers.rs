//! What would provide a signal that the data does not have.

/// Where a missing column usually comes from, as the hint of an error.
pub fn provider(signal: &str) -> &'static str {
    match signal {
        "token_values" | "step_values" => {
            "a critic provides values: train with a value model, or import rollouts that carry them"
        }
        "token_sum_pi_squared" => {
            "the learner records the sum of squared probabilities at sampling: `sample` with logits, or import it"
        }
        "reward_baseline" => {
            "sample one greedy rollout per prompt and store its reward as the column reward_baseline"
        }
        "token_old_logprobs" | "token_rollout_logprobs" | "token_logprobs" => {
            "the sampler records log-probabilities; import rollouts that carry them"
        }
        "token_ref_logprobs" => "score the rollouts under the reference policy with `judge`, or import them",
        "token_teacher_logprobs" => "score the rollouts under the teacher with `judge`, or import them",
        "token_entropies" => "the sampler records entropies; import rollouts that carry them",
        "step_states" => {
            "an importer that keys states (such as tau-bench), or the tree-build operator `state_groups`"
        }
        "step_rewards" => "an importer of an environment that rewards steps, or a process judge",
        "token_rewards" => "a judge at token level, or a recipe that places the outcome reward",
        "step_ends" | "step_kinds" | "step_turns" | "step_agents" | "step_actions" | "step_texts" => {
            "an importer that knows the steps of rollouts, or live sampling with an environment"
        }
        "status" | "response" | "prompt" | "reference" | "prompt_ids" => "an importer that knows it",
        "step_nodes" => "a strategy of sampling that makes trees, or an importer that knows them",
        "token_ids" => "import with token ids, or with `--tokenizer`",
        "reward" => "a judge: `meed judge`, or import the outcome reward",
        _ => "bind another column with --set <input>=<signal>, or join scores with --scores",
    }
}

//! The column definitions of every table (design, section 3).

use super::Column;
use super::ColumnType::{self, Boolean, Float32, Float64, Int32, Int64, List, Utf8};

const fn column(
    name: &'static str,
    column_type: ColumnType,
    nullable: bool,
    meaning: &'static str,
) -> Column {
    Column { name, column_type, nullable, meaning }
}

/// Columns of `rollouts`. Further columns that follow the naming rule are signals.
pub const ROLLOUTS: &[Column] = &[
    column("iteration", Int64, false, "policy version that produced the rollout; 0 for data that has none"),
    column("group_id", Utf8, false, "prompt or task"),
    column("rollout_id", Utf8, false, "unique in the dataset and iteration"),
    column("status", Utf8, false, "`complete`, `truncated`, `aborted` or `error`"),
    column("prompt", Utf8, true, "text of the prompt"),
    column("response", Utf8, true, "text of everything after the prompt"),
    column("reference", Utf8, true, "the gold answer"),
    column("reward", Float64, true, "outcome reward; null where it is not known"),
    column("reward_status", Utf8, true, "why `reward` is null"),
    column("prompt_ids", List(&Int32), true, "token ids of the prompt"),
    column("token_ids", List(&Int32), true, "policy and environment tokens after the prompt, in order"),
    column(
        "token_mask",
        List(&Boolean),
        false,
        "true where the policy produced the token and may be trained on it",
    ),
    column("token_rollout_logprobs", List(&Float32), true, "log-probability as sampled"),
    column(
        "token_old_logprobs",
        List(&Float32),
        true,
        "log-probability recomputed by the learner before the update",
    ),
    column("token_ref_logprobs", List(&Float32), true, "log-probability under the reference policy"),
    column("token_entropies", List(&Float32), true, "entropy of the policy at the token"),
    column("token_values", List(&Float32), true, "value estimate of a critic before the token"),
    column("token_rewards", List(&Float32), true, "reward at the token"),
    column(
        "step_ends",
        List(&Int32),
        true,
        "exclusive token offsets, non-decreasing; the last equals the number of tokens",
    ),
    column(
        "step_kinds",
        List(&Utf8),
        true,
        "`policy`, `environment`, or finer: `think`, `tool_call`, `observation`, `user`, ...",
    ),
    column("step_turns", List(&Int32), true, "turn index of the step"),
    column("step_agents", List(&Utf8), true, "agent or role of the step"),
    column("step_states", List(&Utf8), true, "state key before the step"),
    column("step_actions", List(&Utf8), true, "canonical action of the step"),
    column("step_texts", List(&Utf8), true, "text of the step"),
    column("step_rewards", List(&Float64), true, "reward of the step"),
    column("step_values", List(&Float64), true, "value estimate before the step"),
    column("step_nodes", List(&Int64), true, "node of the group's tree that the step is"),
    column("metadata", Utf8, true, "JSON"),
];

/// Columns of `scores`.
pub const SCORES: &[Column] = &[
    column("iteration", Int64, false, "iteration of the rollout"),
    column("group_id", Utf8, false, "group of the rollout"),
    column("rollout_id", Utf8, false, "the rollout"),
    column("judge", Utf8, false, "name of the judge"),
    column("judge_version", Utf8, true, "version of the judge"),
    column("level", Utf8, false, "level of the score: `rollout`, `turn`, `step`, `token`, ..."),
    column("index", Int32, true, "element of that level; null at rollout level"),
    column("score", Float64, true, "what the judge said; null where it failed"),
    column("status", Utf8, false, "`ok` or the kind of failure"),
    column("reason", Utf8, true, "why the score is null, or the judge's explanation"),
    column("latency_ms", Float64, true, "how long the judgement took"),
    column("input_hash", Utf8, true, "hash of everything that the judgement depends on"),
];

/// Columns of `nodes`.
pub const NODES: &[Column] = &[
    column("iteration", Int64, false, "iteration of the group"),
    column("group_id", Utf8, false, "group whose tree this is"),
    column("node_id", Int64, false, "unique in the group and recipe"),
    column("parent_id", Int64, true, "parent node; null at the root"),
    column("depth", Int32, false, "edges from the root"),
    column("kind", Utf8, true, "kind of the node"),
    column("token_start", Int32, true, "first token of the node in the rollouts that pass it"),
    column("token_end", Int32, true, "token after its last"),
    column("visits", Int64, true, "rollouts that pass it"),
    column("value", Float64, true, "backed-up value"),
    column("reward", Float64, true, "reward at the node"),
    column("text", Utf8, true, "text"),
    column("metadata", Utf8, true, "JSON"),
    column("recipe", Utf8, true, "recipe whose tree it is; null where the data or the sampler has it"),
];

/// Columns of `edges`.
pub const EDGES: &[Column] = &[
    column("iteration", Int64, false, "iteration of the group"),
    column("group_id", Utf8, false, "group whose graph this is"),
    column("source_id", Int64, false, "node where the edge begins"),
    column("target_id", Int64, false, "node where it ends"),
    column("action", Utf8, true, "canonical action"),
    column("visits", Int64, true, "how often it was taken"),
    column("value", Float64, true, "its value"),
    column("recipe", Utf8, true, "recipe whose graph it is; null where the data has it"),
];

/// Columns of `advantages`.
pub const ADVANTAGES: &[Column] = &[
    column("iteration", Int64, false, "iteration of the rollout"),
    column("group_id", Utf8, false, "group of the rollout"),
    column("rollout_id", Utf8, false, "the rollout"),
    column("recipe", Utf8, false, "recipe that assigned the credit"),
    column("parameters", Utf8, false, "its parameters, JSON"),
    column("in_baseline", Boolean, false, "true where the rollout took part in the statistics"),
    column("in_loss", Boolean, false, "true where the rollout is to be trained on"),
    column("reason", Utf8, true, "why it is in neither or only one of them; null if in both"),
    column("token_advantages", List(&Float32), false, "one per token; 0 where `token_mask` is false"),
    column("step_advantages", List(&Float64), true, "one per step, where the recipe assigns credit to steps"),
    column("token_returns", List(&Float32), true, "returns, where the recipe has them"),
    column(
        "token_weights",
        List(&Float32),
        true,
        "weight in the loss and its denominator; null means `token_mask`",
    ),
    column("token_clip_low", List(&Float32), true, "lower clip offset from 1"),
    column("token_clip_high", List(&Float32), true, "upper clip offset from 1"),
];

/// Columns of `updates`.
pub const UPDATES: &[Column] = &[
    column("iteration", Int64, false, "iteration that the optimiser step belongs to"),
    column("step", Int64, false, "optimiser step inside the run"),
    column("recipe", Utf8, false, "recipe"),
    column("objective", Utf8, false, "objective that was minimised"),
    column("loss", Float64, true, "its value"),
    column("policy_loss", Float64, true, "policy part of the loss"),
    column("kl", Float64, true, "divergence from the reference policy"),
    column("entropy", Float64, true, "mean token entropy"),
    column("clip_fraction", Float64, true, "share of tokens whose ratio was clipped"),
    column("grad_norm", Float64, true, "norm of the gradient before clipping"),
    column("learning_rate", Float64, true, "learning rate of the step"),
    column("reward_mean", Float64, true, "mean reward of the batch"),
    column("reward_std", Float64, true, "standard deviation of the rewards"),
    column("zero_variance_groups", Int64, true, "groups whose rewards are all equal"),
    column("tokens", Int64, true, "trainable tokens"),
    column("wall_ms", Float64, true, "wall time of the step"),
    column("metrics", Utf8, true, "everything else, JSON"),
];

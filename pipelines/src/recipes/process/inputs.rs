//! Columns of process judges, under the same names in every recipe of the family.

use crate::inputs::{Input, Of, input, items, pairs};

/// Scores of steps.
pub const STEP_REWARDS: Input = input(
    "step_rewards",
    Of::Number,
    "score of each policy step by a process reward model, in the range that the method expects",
    "a process reward model as a judge, an environment that rewards steps, or an import",
);

/// Verdicts on steps.
pub const STEP_CORRECT: Input = input(
    "step_correct",
    Of::Flag,
    "verdict on each policy step",
    "a generative process judge, such as a language model that names wrong steps, or an import",
);

/// Verdicts of several critiques on steps.
pub const STEP_CRITIQUE_CORRECT: Input = pairs(
    "step_critique_correct",
    Of::Flag,
    "per policy step a list with the verdict of each critique of the rollout; null where a critique could not be parsed",
    "a generative process judge that is asked several times, or an import",
);

/// Verdicts of several critiques on rollouts.
pub const CRITIQUE_CORRECT: Input = items(
    "critique_correct",
    Of::Flag,
    "final verdict of each critique on the rollout; null where it could not be parsed",
    "a generative judge that is asked several times, or an import",
);

/// Success after each step.
pub const STEP_PROVER_SUCCESS: Input = input(
    "step_prover_success",
    Of::Share,
    "probability that a policy finishes correctly from the prefix that ends with the policy step",
    "completions sampled from each prefix and verified, a learned verifier, or an import",
);

/// Success before the first step.
pub const PROMPT_PROVER_SUCCESS: Input = input(
    "prompt_prover_success",
    Of::Share,
    "probability that the same policy finishes correctly from the prompt alone",
    "completions sampled from the prompt and verified, a learned verifier, or an import",
);

/// Log-probabilities under an implicit process reward model.
pub const TOKEN_PRM_LOGPROBS: Input = input(
    "token_prm_logprobs",
    Of::Number,
    "log-probability of each token under the implicit process reward model",
    "score the rollouts under a model that is trained with the objective `prime` or `implicit_prm`, or import them",
);

/// Log-probabilities under the reference policy.
pub const TOKEN_REF_LOGPROBS: Input = input(
    "token_ref_logprobs",
    Of::Number,
    "log-probability of each token under the reference policy",
    "score the rollouts under the reference policy with `judge`, or import them",
);

/// Values of a critic.
pub const TOKEN_VALUES: Input = input(
    "token_values",
    Of::Number,
    "value of the prefix before each token",
    "a critic provides values: train with a value model, import rollouts that carry them, or leave the critic out",
);

/// Format of rollouts.
pub const FORMAT_OK: Input =
    input("format_ok", Of::Flag, "true where the rollout keeps the format", "a rule or judge, or an import");

/// Nodes of the group's tree.
pub const STEP_NODES: Input = input(
    "step_nodes",
    Of::Count,
    "node of the group's tree that the step is; rollouts that share a prefix share its nodes",
    "an importer of a search tree, or a sampler that branches",
);

//! PromptEnhancer: the share of key points that an image of the rewritten prompt satisfies.

use meed_operators::credit::{Credit, ROLLOUT, Reduction, all, if_present, signal, value, when};

use crate::inputs::{Input, Of, items};
use crate::parts::shaped::{any_null, credit_of, group_with};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[
    items(
        "keypoint_scores",
        Of::Share,
        "how well the image of the rewritten prompt meets each key point; null where the point does not apply",
        "a judge of images such as AlignEvaluator",
    ),
    items(
        "keypoint_applies",
        Of::Flag,
        "whether the point applies, where a null score may also be a failed judgement",
        "the judge, or an import",
    ),
    items(
        "keypoint_weights",
        Of::Number,
        "weight of each key point; 1 each without the column",
        "import it with the prompt",
    ),
];

/// PromptEnhancer: `r = mean of the scores of the key points that apply`, compared in its group.
///
/// A rollout to which no key point applies has no reward, and neither has one in which a point applies by
/// `keypoint_applies` but has no score.
pub const PROMPTENHANCER: Recipe = Recipe {
    name: "promptenhancer",
    title: "mean score of the key points that apply to the generated image",
    citation: "PromptEnhancer: A Simple Approach to Enhance Text-to-Image Models via Chain-of-Thought Prompt Rewriting",
    family: "rewards",
    formula: "r = sum_i w_i s_i / sum_i w_i over applicable key points",
    fidelity: Fidelity::Reconstructed,
    deviations: "from the abstract; guessed: key points that do not apply leave the mean, equal weights, sample deviation and eps",
    inputs: &[INPUTS],
    parameters: &[&group_with("1", "1e-4")],
    plan: |parameters| {
        let score = || signal("keypoint_scores");
        let applies = if_present(signal("keypoint_applies"), score().is_null().negated());
        let weights = if_present(signal("keypoint_weights"), value(1.0));
        let mean =
            score().reduce(ROLLOUT, Reduction::Mean).weighted(weights).over(all().only(applies.clone()));
        let failed = any_null(when(applies, score(), 0.0));
        Ok(credit_of(parameters, Credit::new(), mean.null_if(failed))?.into())
    },
    ..ADVANTAGE
};

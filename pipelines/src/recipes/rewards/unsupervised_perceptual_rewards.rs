//! Unsupervised perceptual rewards: a rollout cut into stages by its features, and a reward at the end of each.

use std::sync::Arc;

use meed_operators::credit::{Credit, mean, rollout, signal, when};
use meed_operators::signals::VarianceSegments;

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::steps::{is_end_of_run, is_last_step};
use crate::recipe::{Fidelity, Plan, REWARD, Recipe};

const INPUTS: &[Input] = &[
    input(
        "step_features",
        Of::Vectors,
        "features of what is seen at each step, a list of numbers each",
        "a pretrained model that embeds the observation of each step",
    ),
    input(
        "step_perceptual_scores",
        Of::Number,
        "how well each step matches its stage",
        "a classifier of stages on the same features, trained on demonstrations",
    ),
];

const PARAMETERS: &[Parameter] =
    &[parameter("segments", "3", "stages of a rollout"), parameter("least", "1", "fewest steps of a stage")];

/// The policy steps are cut where the deviation of features inside the stages is least (`step_segments`), and the last
/// step of each stage earns the mean score of the stage.
pub const UNSUPERVISED_PERCEPTUAL_REWARDS: Recipe = Recipe {
    name: "unsupervised_perceptual_rewards",
    title: "stages by minimum variance of features, and one reward per stage",
    citation: "Sermanet et al. 2017, Unsupervised Perceptual Rewards for Imitation Learning, arXiv 1612.06699",
    family: "rewards",
    formula: "segments = argmin sum of spreads; r_t = [t ends its segment] mean(score, segment)",
    fidelity: Fidelity::Reconstructed,
    deviations: "from the abstract; guessed: the number of stages and their least length, that the spread is the mean deviation of features, and that a stage is paid at its end; the cut is the best of all and not only the best found by splitting again and again; choosing features and training the classifiers is the user's",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let segments = VarianceSegments {
            features: "step_features".into(),
            segments: parameters.small("segments")?.into(),
            least: parameters.small("least")?.into(),
        };
        let stage = || signal("step_segments");
        let of_stage = mean(signal("step_perceptual_scores"), rollout().and(stage()));
        let credit = Credit::new().define("step_stage_scores", of_stage).define(
            "step_shaped_rewards",
            when(is_end_of_run(stage()).or(is_last_step()), signal("step_stage_scores"), 0.0),
        );
        Ok(Plan { operators: vec![Arc::new(segments)], ..credit.into() })
    },
    ..REWARD
};

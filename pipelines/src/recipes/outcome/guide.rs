//! Guide-GRPO: groups that nobody solved are sampled again with a hint, and trained as if without.

use meed_operators::Result;
use meed_operators::credit::{Credit, Expr, group, if_present, mean, signal, value, when};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::group::{GROUP, group_advantage};
use crate::parts::steps::{indicator, truth};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[input(
    "hinted",
    Of::Flag,
    "true where the rollout was sampled with a hint in its prompt; without the column none was",
    "sampling with the strategy `guide`",
)];

const PARAMETERS: &[Parameter] = &[
    parameter("plain_weight", "1.0", "factor of the advantages of rollouts without a hint"),
    parameter(
        "filter",
        "none",
        "none: the sampler has chosen the groups; accuracy: groups whose mean reward lies outside of low to high have weight 0",
    ),
    parameter("low", "0.001", "least mean reward of a group that is kept"),
    parameter("high", "0.999", "greatest mean reward of a group that is kept"),
    parameter(
        "reroll_threshold",
        "0.001",
        "greatest mean reward of a group to be sampled again with the hint",
    ),
];

/// Guide-GRPO: GRPO in each group, hinted or plain, times `plain_weight` where it is plain.
///
/// `kept` and `reroll` say what the filter makes of each group. Log-probabilities of hinted rollouts are those
/// under the prompt that they were sampled from; the objective damps their ratios.
pub const GUIDE: Recipe = Recipe {
    name: "guide",
    title: "GRPO where groups that nobody solved are sampled again with a hint",
    citation: "Adaptive Guidance Accelerates Reinforcement Learning of Reasoning Models; vaskar-open-source-research/guide_rl",
    family: "outcome",
    objective: ("guide", &[]),
    formula: "A = w (r - mean(r)) / (std(r) + eps), w = hinted ? 1 : plain_weight",
    fidelity: Fidelity::Reference,
    deviations: "one rollout alone gets 0, where the release keeps its score (singleton=raw); the mixture of plain and hinted rollouts in one group (mixin) is not built",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, GROUP],
    plan: |parameters| {
        let accuracy = || mean(signal("reward"), group());
        let (low, high) = (parameters.number("low")?, parameters.number("high")?);
        let hinted = if_present(signal("hinted"), truth().negated());
        let credit = Credit::new()
            .define("kept", accuracy().at_least(low).and(accuracy().at_most(high)))
            .define("reroll", accuracy().at_most(parameters.number("reroll_threshold")?))
            .weights(kept(parameters)?);
        let weight = when(hinted, 1.0, parameters.number("plain_weight")?);
        Ok(credit.advantage(group_advantage(parameters, signal("reward"))? * weight).into())
    },
    ..ADVANTAGE
};

fn kept(parameters: &Parameters) -> Result<Expr> {
    Ok(match parameters.text("filter")? {
        "none" => value(1.0),
        "accuracy" => indicator(signal("kept")),
        _ => return Err(parameters.unknown("filter", &["none", "accuracy"])),
    })
}

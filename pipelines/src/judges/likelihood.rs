//! Judges that ask the policy, by name: their parameters and defaults.

use std::sync::Arc;

use meed_operators::Result;
use meed_operators::judge::Judge;
use meed_operators::judge::likelihood::{
    AnswerLikelihood, Bridge, Gain, GoldLogprobs, InformationGains, LikelihoodForm, Probe, ProbeOf,
    PromptGoldLogprob, PromptReferenceLogprobs, ReferenceLogprobs,
};

use super::JudgeDefinition;
use crate::parameters::{Parameter, Parameters, parameter};

const BRIDGE: Parameter = parameter(
    "bridge",
    "\"\\n</think>\\n<answer>\\n\"",
    "text between the truncated rollout and the answer that is scored",
);
const SEPARATOR: Parameter = parameter(
    "separator",
    "null",
    "`reference` may list alternatives, parted by this text; the first is scored",
);

fn bridge(parameters: &Parameters) -> Result<Bridge> {
    let separator = parameters.text("separator")?;
    Ok(Bridge {
        text: parameters.text("bridge")?.to_owned(),
        separator: (!separator.is_empty()).then(|| separator.to_owned()),
    })
}

pub(super) const ANSWER_LIKELIHOOD: JudgeDefinition = JudgeDefinition {
    name: "answer_likelihood",
    title: "how likely the reference is after the rollout (likelihood_rewards)",
    meaning: "The probabilities p_t of the tokens of `reference` under the policy, after the prompt, the rollout up to its own answer, and the bridge: prod p_t, mean p_t, sum log p_t or mean log p_t.",
    parameters: &[
        parameter("form", "avg_log_prob", "prob, avg_prob, log_prob or avg_log_prob"),
        parameter("before", "null", "the rollout's own answer begins with the last occurrence of this text"),
        parameter("bridge", "null", "text between the rollout and the answer that is scored"),
        SEPARATOR,
    ],
    asks_policy: true,
    build: |parameters| {
        let wanted = parameters.text("form")?;
        let names = LikelihoodForm::ALL.map(|(name, _)| name);
        let form = LikelihoodForm::ALL.into_iter().find(|(name, _)| *name == wanted);
        let (_, form) = form.ok_or_else(|| parameters.unknown("form", &names))?;
        let before = parameters.text("before")?;
        Ok(vec![Arc::new(AnswerLikelihood {
            bridge: bridge(parameters)?,
            form,
            before: (!before.is_empty()).then(|| before.to_owned()),
        })])
    },
};

pub(super) const GOLD_LOGPROBS: JudgeDefinition = JudgeDefinition {
    name: "gold_logprobs",
    title: "how likely the gold answer is before the first and after every turn (igpo)",
    meaning: "Two judges. prompt_gold_logprob: mean log-probability of the tokens of `reference` after the prompt and the bridge. step_gold_logprobs: the same after each turn with what the environment answered, on the turn's last policy step, null elsewhere.",
    parameters: &[
        BRIDGE,
        SEPARATOR,
        parameter("last_turn", "false", "score the last turn, too, which gives the answer itself"),
    ],
    asks_policy: true,
    build: |parameters| {
        let (bridge, last_turn) = (bridge(parameters)?, parameters.boolean("last_turn")?);
        let prompt: Arc<dyn Judge> = Arc::new(PromptGoldLogprob { bridge: bridge.clone() });
        Ok(vec![prompt, Arc::new(GoldLogprobs { bridge, last_turn })])
    },
};

pub(super) const INFORMATION_GAINS: JudgeDefinition = JudgeDefinition {
    name: "information_gains",
    title: "what each turn adds to the likelihood of the gold answer (a2tgpo)",
    meaning: "The value of gold_logprobs after a turn minus that before it, on the turn's last policy step; null elsewhere and at the last turn.",
    parameters: &[BRIDGE, SEPARATOR, parameter("gain", "log_prob_diff", "log_prob_diff or prob_diff")],
    asks_policy: true,
    build: |parameters| {
        let gain = match parameters.text("gain")? {
            "log_prob_diff" => Gain::LogProbDiff,
            "prob_diff" => Gain::ProbDiff,
            _ => return Err(parameters.unknown("gain", &["log_prob_diff", "prob_diff"])),
        };
        Ok(vec![Arc::new(InformationGains { bridge: bridge(parameters)?, gain })])
    },
};

pub(super) const PROBE: JudgeDefinition = JudgeDefinition {
    name: "probe",
    title: "how right and how sure short completions are after every step (spae)",
    meaning: "Two judges. After each policy step and the bridge, completions are drawn; with lp_m the log-probability of token m of `reference` and H_m the entropy at position m of each, step_accuracy is the mean of exp(sum lp_m) / M, and step_confidence that of exp(-sum H_m) / M, over the M tokens of the answer.",
    parameters: &[
        parameter(
            "bridge",
            "\"**Final Answer**\\n\\\\boxed{\"",
            "text between the truncated rollout and the answer",
        ),
        SEPARATOR,
        parameter("samples", "5", "completions per step"),
        parameter("temperature", "0.6", "their temperature"),
        parameter("missing", "-10", "the least log-probability that counts"),
    ],
    asks_policy: true,
    build: |parameters| {
        let probe = |of| -> Result<Arc<dyn Judge>> {
            Ok(Arc::new(Probe {
                of,
                bridge: bridge(parameters)?,
                samples: usize::from(parameters.small("samples")?),
                temperature: parameters.number("temperature")?,
                missing: parameters.number("missing")?,
            }))
        };
        Ok(vec![probe(ProbeOf::Accuracy)?, probe(ProbeOf::Confidence)?])
    },
};

pub(super) const REFERENCE_LOGPROBS: JudgeDefinition = JudgeDefinition {
    name: "reference_logprobs",
    title: "how likely each reference answer is before the first and after every turn (siop)",
    meaning: "Two judges. prompt_reference_logprobs: mean log-probability of the tokens of each of `reference_texts` after the prompt and the bridge. step_reference_logprobs: the same after each turn, the last one included, as a list on the turn's last policy step, nulls elsewhere.",
    parameters: &[BRIDGE, SEPARATOR],
    asks_policy: true,
    build: |parameters| {
        let bridge = bridge(parameters)?;
        let prompt: Arc<dyn Judge> = Arc::new(PromptReferenceLogprobs { bridge: bridge.clone() });
        Ok(vec![prompt, Arc::new(ReferenceLogprobs { bridge })])
    },
};

//! AdaSearch: first answer with and without search, then decide which of them the question needs.

use meed_operators::Result;
use meed_operators::credit::{Credit, Expr, batch, group, if_present, signal, sum, when};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::group::{GROUP, advantage_among};
use crate::parts::shaped::credit_of;
use crate::parts::steps::{indicator, truth, where_used};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[
    input(
        "decided_search",
        Of::Flag,
        "whether the response decides to search; null where its format is broken (stage=decision)",
        "parse the decision of the response; import it",
    ),
    input(
        "parametric_pass_rate",
        Of::Share,
        "share of right answers to the question without search (stage=decision)",
        "sample the question without search and verify the answers",
    ),
    input(
        "format_ok",
        Of::Flag,
        "whether the response states a decision as asked; without the column all do",
        "the judge `regex`, bound with --set format_ok=<signal>",
    ),
    input(
        "prompt_mode",
        Of::Text,
        "the prompt that the rollout answers: parametric or search (stage=modes)",
        "the sampler; import it",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter(
        "stage",
        "decision",
        "modes: outcomes, compared among rollouts of the same question and prompt; decision: whether the response decides rightly to search",
    ),
    parameter("threshold", "0.5", "least pass rate without search at which no search is needed"),
];

/// AdaSearch: in its first stage GRPO per question and prompt; in its second `r = 1` where the response decides to
/// search exactly if the pass rate without search is below the threshold, else 0.
///
/// Nothing is taken off for calls, and a response of broken format gets 0. `decision_f1` measures the decisions of the iteration, where "no search" is
/// what is looked for.
pub const ADASEARCH: Recipe = Recipe {
    name: "adasearch",
    title: "the decision to search, rewarded by whether knowledge alone suffices",
    citation: "AdaSearch: Balancing Parametric Knowledge and Search in Large Language Models, arXiv 2512.16883",
    family: "rewards",
    formula: "r = [decides to search == (pass rate without search < threshold)]",
    fidelity: Fidelity::Reconstructed,
    deviations: "read from the abstract; guessed: the threshold, that a pass rate at it needs no search, rewards of 1 and 0",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, GROUP],
    plan: |parameters| {
        Ok(match parameters.text("stage")? {
            "decision" => decision(parameters)?,
            "modes" => {
                let by = group().and(signal("prompt_mode"));
                Credit::new().advantage(advantage_among(parameters, signal("reward"), by)?)
            }
            _ => return Err(parameters.unknown("stage", &["modes", "decision"])),
        }
        .into())
    },
    ..ADVANTAGE
};

fn decision(parameters: &Parameters) -> Result<Credit> {
    let suffices = signal("parametric_pass_rate").at_least(parameters.number("threshold")?);
    let (abstains, known) =
        (|| where_used(signal("decided_search")).negated(), || signal("knowledge_suffices"));
    let right = abstains().equals(known());
    let format = if_present(signal("format_ok"), truth());
    let count = |condition: Expr| sum(indicator(condition), batch());
    let hits = || count(abstains().and(known()));
    let named = count(abstains()) + count(known());
    let credit = Credit::new()
        .define("knowledge_suffices", suffices)
        .define("decision_f1", when(named.clone().equals(0.0), 0.0, 2.0 * hits() / named.max(1.0)));
    credit_of(parameters, credit, when(format, indicator(right), 0.0))
}

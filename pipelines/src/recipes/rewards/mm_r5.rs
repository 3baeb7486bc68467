//! MM-R5: a reranker's answer, by where the relevant documents stand and by its format.

use meed_operators::credit::{Credit, Expr, Level, ROLLOUT, Reduction, fetch, index, signal, value, when};

use crate::inputs::{Input, Of, input, items};
use crate::parameters::{Parameter, parameter};
use crate::parts::shaped::{credit_of, group_with};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[
    items(
        "ranked_documents",
        Of::Count,
        "numbers of the documents in the order that the response gives, from 1",
        "parse the answer of the response; an empty list where there is none",
    ),
    items(
        "positive_documents",
        Of::Count,
        "numbers of the relevant documents",
        "import them with the question",
    ),
    input(
        "candidate_count",
        Of::Count,
        "number of documents that were offered",
        "import it with the question",
    ),
    input(
        "format_ok",
        Of::Flag,
        "whether the response has its thoughts and its answer marked",
        "the judge `regex`, bound with --set format_ok=<signal>",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter("exponent", "3", "of the rank"),
    parameter(
        "single_document",
        "counted",
        "the format of an answer with one document: counted as any other; zero, as released, where it cannot be read",
    ),
];

/// MM-R5: `r = sum over positives of 1/rank^3 / sum_{i <= P} 1/i^3`, plus the format reward.
///
/// The format reward is `(N - |length - N|) / N` times the share of listed documents within `1..=N`, 0 where the
/// format is not valid; it is negative for more than `2 N` documents. The first of repeated documents gives the
/// rank, all of them count in the share. Without a relevant document the rank reward is 0.
pub const MM_R5: Recipe = Recipe {
    name: "mm_r5",
    title: "inverse cubes of the ranks of relevant documents, plus format",
    citation: "MM-R5: MultiModal Reasoning-Enhanced ReRanker; i2vec/MM-R5",
    family: "rewards",
    formula: "r = sum_p rank_p^-3 / sum_i i^-3 + (N - |len - N|)/N * share within 1..N",
    fidelity: Fidelity::Equations,
    deviations: "an answer with one document keeps its format reward, where the released function raises and gives 0 (single_document=zero); guessed: sample deviation and eps of its GRPO",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, &group_with("1", "1e-4")],
    plan: |parameters| {
        let exponent = parameters.number("exponent")?;
        let place = |position: Expr| 1.0 / (position + 1.0).power(exponent);
        let over = |level: &str| index(Level::from(level));
        let found = fetch(over("ranked"), signal("ranked_documents"), signal("positive_documents"));
        let sum = |x: Expr| x.reduce(ROLLOUT, Reduction::Sum).empty(0.0);
        let gain = sum(place(found).or_else(0.0)) / sum(place(over("positive")));
        let rank = when(signal("relevant").equals(0.0), 0.0, gain);

        let (listed, offered) = (|| signal("listed"), || signal("candidate_count"));
        let document = || signal("ranked_documents");
        let within = document().at_least(1.0).and(document().at_most(offered()));
        let within = within.reduce(ROLLOUT, Reduction::Mean).empty(0.0);
        let length = (offered() - (listed() - offered()).abs()) / offered();
        let readable = match parameters.text("single_document")? {
            "counted" => value(1.0),
            "zero" => when(listed().equals(1.0), 0.0, 1.0),
            _ => return Err(parameters.unknown("single_document", &["counted", "zero"])),
        };
        let format = when(signal("format_ok").and(offered().greater(0.0)), length * within * readable, 0.0);
        let credit = Credit::new()
            .define("listed", signal("ranked_documents").reduce(ROLLOUT, Reduction::Count))
            .define("relevant", signal("positive_documents").reduce(ROLLOUT, Reduction::Count))
            .define("rank_reward", rank)
            .define("format_reward", format);
        Ok(credit_of(parameters, credit, signal("rank_reward") + signal("format_reward"))?.into())
    },
    ..ADVANTAGE
};

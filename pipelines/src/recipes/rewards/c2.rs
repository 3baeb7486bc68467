//! C2: a verifier that also says whether the rubric helps, and rubrics chosen by contrast of margins.

use meed_operators::Result;
use meed_operators::credit::{Credit, Expr, group, members, rank, signal, trainable, value, when};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::shaped::{credit_of, group_with};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const VERIFIER: &[Input] = &[
    input(
        "preference_correct",
        Of::Flag,
        "whether the verdict is the pair's label",
        "compare the verdict with the label of the pair",
    ),
    input(
        "rubric_label_correct",
        Of::Flag,
        "whether the rubric was rightly called helpful or misleading; null on tasks without a rubric",
        "compare the label that the verifier gives with the rubric's",
    ),
    input(
        "format_ok",
        Of::Flag,
        "whether the judgement has the required format",
        "the judge `regex`, bound with --set format_ok=<signal>",
    ),
];

const LETTERS: &str =
    "the log-probability of the answer's letter under the verifier; null where it is not returned";

const GENERATOR: &[Input] = &[
    input(
        "preferred_logprob",
        Of::Number,
        "the preferred answer's letter, with the rubric (stage=generator)",
        LETTERS,
    ),
    input("other_logprob", Of::Number, "the other letter, with the rubric (stage=generator)", LETTERS),
    input(
        "base_preferred_logprob",
        Of::Number,
        "the preferred letter, without a rubric (stage=generator)",
        LETTERS,
    ),
    input("base_other_logprob", Of::Number, "the other letter, without a rubric (stage=generator)", LETTERS),
];

const PARAMETERS: &[Parameter] = &[
    parameter(
        "stage",
        "verifier",
        "verifier: judgements are rewarded (GRPO); generator: the rollouts are the candidate rubrics of a pair, of which the best and the worst are selected (DPO)",
    ),
    parameter("weights", "[0.6, 0.3, 0.1]", "of preference, rubric label and format, each +1 or -1"),
];

/// A letter that was not among the returned log-probabilities: below everything, but finite.
const MISSING: f64 = -1e300;

/// C2: the verifier's reward is `0.6 preference + 0.3 rubric label + 0.1 format`, each +1 or -1.
///
/// With `stage=generator` the group is one preference pair and its rollouts are candidate rubrics. The margin
/// is the log-probability of the preferred letter less that of the other. Helpful are margins above
/// `max(0, base)`, misleading those below `min(0, base)`; if there are both, the largest helpful one has reward
/// and advantage 1, the smallest misleading one -1, and all others weight 0. Ties go to the first in canonical
/// order. A candidate, or a pair, of which both letters are missing is dropped.
pub const C2: Recipe = Recipe {
    name: "c2",
    title: "verifier reward with rubric label, and contrastive selection of rubrics",
    citation: "C2: Scalable Rubric-Augmented Reward Modeling; asahi-research/C2",
    family: "rewards",
    objective: ("ppo_clip", &[("kl", r#"{"coef": 0.01}"#)]),
    formula: "r = 0.6 (+-1 preference) + 0.3 (+-1 rubric label) + 0.1 (+-1 format)",
    fidelity: Fidelity::Equations,
    deviations: "more candidates are not generated where one kind is missing: the pair is dropped; generating and choosing a judgement at inference are no credit",
    inputs: &[VERIFIER, GENERATOR],
    parameters: &[PARAMETERS, &group_with("1", "1e-4")],
    plan: |parameters| {
        Ok(match parameters.text("stage")? {
            "verifier" => verifier(parameters)?.into(),
            "generator" => generator().into(),
            _ => return Err(parameters.unknown("stage", &["verifier", "generator"])),
        })
    },
    ..ADVANTAGE
};

fn verifier(parameters: &Parameters) -> Result<Credit> {
    let weights = parameters.numbers("weights")?;
    let Some([preference, rubric, format]) = weights.as_deref() else {
        return Err(parameters.unknown("weights", &["[preference, rubric, format]"]));
    };
    let sign = |flag: &str| 2.0 * signal(flag) - 1.0;
    let shaped = *preference * sign("preference_correct")
        + (*rubric * sign("rubric_label_correct")).or_else(0.0)
        + *format * sign("format_ok");
    credit_of(parameters, Credit::new(), shaped)
}

fn generator() -> Credit {
    let (margin, base) = (|| signal("margin"), || signal("base_margin"));
    let credit = Credit::new()
        .define("margin", difference("preferred_logprob", "other_logprob"))
        .define("base_margin", difference("base_preferred_logprob", "base_other_logprob"))
        .define("helpful", margin().greater(base().max(0.0)))
        .define("misleading", margin().less(base().min(0.0)));
    let of = |kind: &str| trainable().only(signal(kind));
    let first = |kind: &str, ascending: bool| {
        rank(margin(), group(), ascending).over(of(kind)).equals(0.0).or_else(value(0.0).equals(1.0))
    };
    let some = |kind: &str| members(margin(), group()).over(of(kind)).greater(0.0);
    let selected = when(first("helpful", false), 1.0, when(first("misleading", true), -1.0, 0.0));
    let selected = when(some("helpful").and(some("misleading")), selected, 0.0);
    credit
        .define("rewards", selected.null_if(margin().is_null().or(base().is_null())))
        .weights(signal("rewards").abs())
        .advantage(signal("rewards"))
}

fn difference(preferred: &str, other: &str) -> Expr {
    let known = |letter: &str| signal(letter).or_else(MISSING);
    let neither = signal(preferred).is_null().and(signal(other).is_null());
    (known(preferred) - known(other)).null_if(neither)
}

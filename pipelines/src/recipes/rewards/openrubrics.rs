//! OpenRubrics: verdicts of a judge that was shown a rubric, voted on, in both orders of the two answers.

use meed_operators::Result;
use meed_operators::credit::{Credit, Expr, Level, ROLLOUT, Reduction, all, index, signal, value, when};

use crate::inputs::{Input, Of, input, items};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::group::{GROUP, group_advantage};
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[
    items(
        "vote_wins",
        Of::Flag,
        "verdicts that the response beats the greedy one, shown first (stage=policy); that the chosen answer beats the rejected one (stage=rubric). Null: unparsable",
        "a judge that is shown the rubric and both answers; store one flag per sampled verdict",
    ),
    items(
        "vote_swapped_wins",
        Of::Flag,
        "the same verdicts with the response shown second (stage=policy)",
        "the same judge with the answers swapped",
    ),
    input(
        "verdict_correct",
        Of::Flag,
        "whether the judge's verdict is the pair's label (stage=judge)",
        "compare the verdict with the label of the pair",
    ),
    input(
        "format_ok",
        Of::Flag,
        "whether the judgement has the required format (stage=judge)",
        "the judge `regex`, bound with --set format_ok=<signal>",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter(
        "stage",
        "policy",
        "policy: responses are rewarded by verdicts in both orders; judge: judgements by label and format (Rubric-ARM); rubric: rubrics that lead the judge to the label are kept",
    ),
    parameter("votes", "5", "verdicts that count per order, the first ones"),
    parameter(
        "baseline",
        "even",
        "of stage policy: even (less 1/2, what the greedy response gets against itself: ReMax), group (GRPO), none",
    ),
];

/// Rubric-ARM's reward of a response against the greedy one: `r = (1[wins] + 1[wins, swapped]) / 2`.
///
/// A win is a majority of the votes that could be parsed, a tie of votes counts 1/2; a verdict that depends on
/// the order gives 1/2. A rollout without any parsable vote in one order has no reward. With `stage=rubric`
/// the rollouts are rubrics: `weights` keeps those with which the judge finds the label, and all have
/// advantage 1, so that the update imitates them.
pub const OPENRUBRICS: Recipe = Recipe {
    name: "openrubrics",
    title: "order-swapped majority votes of a rubric judge against the greedy response",
    citation: "OpenRubrics; Rubric-ARM",
    family: "rewards",
    formula: "r = (1[majority wins] + 1[majority wins, swapped]) / 2; A = r - 1/2",
    fidelity: Fidelity::Reconstructed,
    deviations: "from notes about the papers; guessed: ties of votes count 1/2, unparsable verdicts do not vote and drop a rubric, label and format weigh the same, the baseline of 1/2",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, GROUP],
    plan: |parameters| Ok(plan(parameters)?.into()),
    ..ADVANTAGE
};

fn plan(parameters: &Parameters) -> Result<Credit> {
    let counted = all().only(index(Level::from("vote")).less(parameters.number("votes")?));
    let share = |votes: &str| signal(votes).reduce(ROLLOUT, Reduction::Mean).over(counted.clone());
    let credit = Credit::new();
    Ok(match parameters.text("stage")? {
        "policy" => {
            let credit = credit
                .define("vote_share", share("vote_wins"))
                .define("swapped_vote_share", share("vote_swapped_wins"));
            let both = majority(signal("vote_share")) + majority(signal("swapped_vote_share"));
            let credit = credit.define("rewards", both / 2.0);
            match parameters.text("baseline")? {
                "even" => credit.advantage(signal("rewards") - 0.5),
                "group" => credit.advantage(group_advantage(parameters, signal("rewards"))?),
                "none" => credit.advantage(signal("rewards")),
                _ => return Err(parameters.unknown("baseline", &["even", "group", "none"])),
            }
        }
        "judge" => {
            let credit = credit.define("rewards", signal("verdict_correct") + signal("format_ok"));
            credit.advantage(group_advantage(parameters, signal("rewards"))?)
        }
        "rubric" => credit
            .define("vote_share", share("vote_wins").or_else(0.0))
            .define("rewards", when(signal("vote_share").greater(0.5), 1.0, 0.0))
            .weights(signal("rewards"))
            .advantage(value(1.0).spread(ROLLOUT)),
        _ => return Err(parameters.unknown("stage", &["policy", "judge", "rubric"])),
    })
}

fn majority(share: Expr) -> Expr {
    (share - 0.5).sign() / 2.0 + 0.5
}

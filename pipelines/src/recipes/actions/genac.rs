//! GenAC: generalised advantage estimation over segments whose values a generative critic writes.

use meed_operators::Result;
use meed_operators::credit::{Credit, Expr, Level, gae, index, signal, when};

use crate::inputs::{Input, Of, input, items};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::steps::acting;
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[
    items(
        "segment_answers",
        Of::Number,
        "the critic's answer, 0 to 10, to the problem and what precedes the segment; null where it cannot be read",
        "a judge that asks a generative critic at the start of every segment",
    ),
    input(
        "segment_ends",
        Of::Count,
        "exclusive token offsets of the segments",
        "whatever cuts the response for the critic; import it",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter("gamma", "1.0", "discount per segment"),
    parameter("lam", "0.95", "lambda"),
    parameter("scale", "10", "the answer that means a sure success"),
    parameter(
        "unreadable",
        "previous",
        "the value of a segment without an answer: previous (of the segment before, or `unknown`), unknown",
    ),
    parameter("unknown", "0.5", "the value where nothing is known"),
];

/// GenAC: `V = clip(answer / 10, 0, 1)`, `delta_k = r_k + gamma V_{k+1} - V_k`, `A_k = delta_k + gamma lambda
/// A_{k+1}` over segments; every token has the advantage of its segment.
///
/// fidelity: reconstructed, from the abstract and a third party's program. A segment without a trainable token is
/// no step of the estimate, and the reward lands on the last one that has any.
pub const GENAC: Recipe = Recipe {
    name: "genac",
    title: "generalised advantage estimation over segments with the values of a generative critic",
    citation: "Bringing Value Models Back: Generative Critics for Value Modeling in LLM Reinforcement Learning",
    family: "actions",
    formula: "A_k = r_k + gamma V_{k+1} - V_k + gamma lambda A_{k+1}, V = clip(answer / 10, 0, 1)",
    fidelity: Fidelity::Reconstructed,
    deviations: "guessed: lambda, how segments are cut (they are given), the value of a segment whose answer cannot be read; the critic's own training is not part of it",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let segment = || Level::named("segment");
        let acting = || acting(segment());
        let credit = Credit::new()
            .define("segment_values", values(parameters)?)
            .define("segment_rewards", signal("reward").at_last(segment()).over(acting()));
        let advantages = gae(
            signal("segment_rewards"),
            signal("segment_values"),
            parameters.number("gamma")?,
            parameters.number("lam")?,
            acting(),
        );
        let credit = credit.define("segment_advantages", advantages);
        let credit = credit.returns(signal("segment_advantages") + signal("segment_values"));
        Ok(credit.advantage(signal("segment_advantages")).into())
    },
    ..ADVANTAGE
};

/// The critic's value of each segment, filled in where it gave none.
fn values(parameters: &Parameters) -> Result<Expr> {
    let scale = parameters.number("scale")?;
    let answer = || (signal("segment_answers") / scale).clamp(0.0, 1.0);
    let unknown = parameters.number("unknown")?;
    Ok(match parameters.text("unreadable")? {
        "unknown" => answer().or_else(unknown),
        "previous" => {
            let first = index(Level::named("segment")).equals(0.0);
            let known = answer().or_else(when(first, unknown, 0.0));
            known.recur(when(answer().is_null(), 1.0, 0.0)).forward()
        }
        _ => return Err(parameters.unknown("unreadable", &["previous", "unknown"])),
    })
}

//! SCRL: each subproblem of a rollout is credited on its own tokens, up to the first mistake.

use meed_operators::Result;
use meed_operators::credit::{
    By, Center, Credit, Level, Norm, ROLLOUT, Reduction, Running, Scale, TOKEN, all, group, if_present,
    index, normalize, signal, text, value, when,
};

use crate::inputs::{Input, Of, input, items};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::group::{GROUP, group_norm};
use crate::recipe::{Fidelity, Plan, Recipe};

const INPUTS: &[Input] = &[
    items(
        "subproblem_correct",
        Of::Flag,
        "whether the answer to each subproblem is right, one value per subproblem of the prompt, whether the response gets to it or not; empty for rollouts on the original prompt",
        "a verifier per subproblem",
    ),
    input(
        "subproblem_starts",
        Of::Count,
        "first token of each subproblem's span; equal to its end where the response has none",
        "find the tags of the subproblems when importing",
    ),
    input(
        "subproblem_ends",
        Of::Count,
        "token after each span",
        "find the tags of the subproblems when importing",
    ),
    input(
        "format_ok",
        Of::Flag,
        "whether the response keeps the format; all do where the data has no such column",
        "a judge such as `regex`",
    ),
    input(
        "prompt_kind",
        Of::Text,
        "curriculum or original: which of the two prompts of a mixed group",
        "the sampler, or an import",
    ),
];

const PARAMETERS: &[Parameter] = &[parameter(
    "mixed",
    "false",
    "true: rollouts whose prompt_kind is original get the group-relative advantage of their reward",
)];

/// SCRL: `R_j = 1` while every subproblem up to `j` is right, else 0; the tokens of span `j` get `R_j`
/// normalised over the curriculum rollouts of the group, separately for each `j`.
///
/// Tokens outside every span get 0, and so does a rollout whose format is not kept, all of whose
/// subproblems count as wrong. Rollouts of a mixed group on the original prompt get the
/// group-relative advantage of their reward among themselves.
pub const SCRL: Recipe = Recipe {
    name: "scrl",
    title: "each subproblem's span gets its own group-relative advantage, void after the first mistake",
    citation: "From Reasoning Chains to Verifiable Subproblems (SCRL, 2026)",
    family: "outcome",
    formula: "A_j = normalize(min_{i <= j} r_i, by(group, j)) on span j, 0 elsewhere",
    fidelity: Fidelity::Equations,
    deviations: "guessed: the sample deviation and its epsilon; the coefficient of the divergence in the loss is not known and left at 0",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, GROUP],
    plan,
    ..crate::recipe::ADVANTAGE
};

fn plan(parameters: &Parameters) -> Result<Plan> {
    let subproblem = || Level::named("subproblem");
    let valid = || if_present(signal("format_ok").equals(1.0), value(1.0).equals(1.0));
    let norm = |by: By| -> Result<Norm> {
        let norm = group_norm(parameters)?;
        let scale = if norm.scale == Scale::None { Scale::None } else { Scale::Std(by.clone()) };
        Ok(Norm { center: Center::Mean(by), scale, ..norm })
    };
    let right = when(valid(), when(signal("subproblem_correct").equals(1.0), 1.0, 0.0), 0.0);
    // A scan shows what stood before where a verdict is missing.
    let unknown = right.clone().is_null().reduce(ROLLOUT, Reduction::Any).over(all());
    let of_position = norm(group().and(index(subproblem())))?;
    let inside = index(subproblem()).spread(TOKEN).is_null().negated();
    let on_spans = when(valid().and(inside), signal("subproblem_advantages"), 0.0);
    let credit = Credit::new()
        .define("subproblem_rewards", right.scan(Running::Min).null_if(unknown))
        .define("subproblem_advantages", normalize(signal("subproblem_rewards"), &of_position));
    if !parameters.boolean("mixed")? {
        return Ok(credit.advantage(on_spans).into());
    }
    let original = || signal("prompt_kind").equals(text("original"));
    let reward = signal("reward").null_if(original().negated());
    let of_original = norm(group().and(signal("prompt_kind")))?;
    Ok(credit.advantage(when(original(), normalize(reward, &of_original), on_spans)).into())
}

//! Sotopia-RL: the scores of a conversation, attributed to its utterances by a judge.

use meed_operators::Result;
use meed_operators::credit::{
    Credit, Expr, ROLLOUT, Reduction, Running, STEP, TURN, group, index, normalize, policy, rollout, signal,
    sum, text, value, when,
};

use crate::inputs::{Input, Of, input, items, pairs};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::group::{GROUP, group_norm_by};
use crate::parts::shaped::complete;
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const EPISODE: &str = "a judge of whole conversations, such as sotopia's evaluators; import it";

const INPUTS: &[Input] = &[
    items("dimension_ids", Of::Text, "names of the dimensions: goal, relationship, knowledge, ...", EPISODE),
    items("dimension_scores", Of::Number, "score of the conversation in each dimension", EPISODE),
    pairs(
        "step_dimension_attributions",
        Of::Number,
        "one list per utterance: how much of each dimension's score is due to it, 0 to 3; -1 where the judge failed",
        "a judge that attributes scores of a conversation to its utterances",
    ),
    input(
        "step_goal_progress",
        Of::Number,
        "how far the goal is reached after each utterance, 0 to 10, for variant progress",
        "a judge of progress",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter(
        "variant",
        "direct",
        "direct (attribution / scale * score), normalised (attribution / its sum over the conversation * score), discounted (discount to the power of the utterances that follow * score), progress (difference of goal progress / 10 * score), uniform (the score)",
    ),
    parameter("attribution_scale", "3", "the greatest attribution, for direct"),
    parameter("dimensions", "7", "direct is the mean over so many dimensions; absent ones count 0"),
    parameter(
        "dimension",
        "null",
        "the one dimension that counts; null: all of them for direct, goal for the others",
    ),
    parameter("discount", "0.9", "per utterance, for discounted"),
];

/// Sotopia-RL: `step_rewards` are the attributed scores of utterances; every utterance is an action of its own,
/// normalised among those of the same turn in its group.
///
/// The authors train a reward model on `step_rewards` and sample groups of single utterances, which are rollouts of
/// one turn here. A failed attribution is worth -1 in direct, and has no share in normalised. Where nothing is
/// attributed, the released code divides by 0; here nobody is rewarded.
pub const SOTOPIA_RL: Recipe = Recipe {
    name: "sotopia_rl",
    title: "scores of a conversation attributed to its utterances",
    citation: "Sotopia-RL; sotopia-lab/sotopia-rl, post_process_annotation_direct_attribution.py",
    family: "actions",
    formula: "r_i = mean over dimensions of a_i / 3 * score; A = normalize(r, by(group, turn))",
    fidelity: Fidelity::Reference,
    deviations: "nothing attributed gives 0 where the released code divides by 0; what discounted counts (utterances of the policy) and where progress begins (0) are guessed",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, GROUP],
    plan: |parameters| {
        let norm = group_norm_by(parameters, group().and(index(TURN)))?;
        let credit = attributed(parameters)?;
        Ok(credit.advantage(normalize(signal("step_rewards"), &norm)).into())
    },
    ..ADVANTAGE
};

/// `step_rewards`, with what they are made of.
fn attributed(parameters: &Parameters) -> Result<Credit> {
    let attribution = || signal("step_dimension_attributions");
    let chosen = match (parameters.text("dimension")?, parameters.text("variant")?) {
        ("", "direct") => None,
        ("", _) => Some("goal"),
        (dimension, _) => Some(dimension),
    };
    let dimensions = parameters.number("dimensions")?;
    let among = |x: Expr| match chosen {
        Some(dimension) => when(signal("dimension_ids").equals(text(dimension)), x, 0.0),
        None => x / dimensions,
    };
    let over_dimensions = |x: Expr| among(x).reduce(STEP, Reduction::Sum).empty(0.0);
    let score = || among(signal("dimension_scores")).reduce(ROLLOUT, Reduction::Sum).empty(0.0);
    let credit = Credit::new();
    // A conversation of which a score is not known is left out.
    let known = 0.0 * complete(signal("dimension_scores"), Reduction::Sum, Some(0.0));
    let over_dimensions = |x: Expr| over_dimensions(x) + known.clone();
    Ok(match parameters.text("variant")? {
        "direct" => {
            let share = attribution() / parameters.number("attribution_scale")?;
            let reward = when(attribution().equals(-1.0), -1.0, share * signal("dimension_scores"));
            let credit = credit.define("step_dimension_rewards", reward);
            let known = when(attribution().is_null(), 0.0, signal("step_dimension_rewards"));
            credit.define("step_rewards", over_dimensions(known))
        }
        "normalised" => {
            let share = over_dimensions(when(attribution().is_null(), 0.0, attribution().max(0.0)));
            let credit = credit.define("step_attributions", share);
            let total = || sum(signal("step_attributions"), rollout());
            let reward = signal("step_attributions") / total() * score();
            credit.define("step_rewards", when(total().equals(0.0), 0.0, reward))
        }
        "discounted" => {
            let spoken = when(policy(STEP), 1.0, 0.0).scan(Running::Count);
            let following = spoken.backward() - 1.0;
            let discount = value(parameters.number("discount")?).power(following);
            credit.define("step_rewards", discount * score())
        }
        "progress" => {
            let progress = signal("step_goal_progress");
            let gained = progress.clone() - progress.shift(1, Some(value(0.0)));
            credit.define("step_rewards", gained / 10.0 * score())
        }
        "uniform" => credit.define("step_rewards", when(policy(STEP), score(), 0.0)),
        _ => {
            let known = ["direct", "normalised", "discounted", "progress", "uniform"];
            return Err(parameters.unknown("variant", &known));
        }
    })
}

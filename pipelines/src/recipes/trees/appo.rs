//! APPO: branches reward the tokens of the rollout that they left.

use meed_operators::credit::{
    Center, Expr, Norm, ROLLOUT, Reduction, Running, Scale, TOKEN, all, batch, group, if_present, maximum,
    normalize, policy, send, signal, value, when,
};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::steps::judged_where;
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const TREE: &str = "the strategy `tree` of the sampler, with branches by `appo`";

const INPUTS: &[Input] = &[
    input("parent_rollout_id", Of::Text, "rollout that a branch left; null where none was", TREE),
    input("split_token", Of::Count, "last token that a branch shares with its parent", TREE),
    input("branch_score", Of::Number, "how much the strategy wanted the branch", TREE),
];

const PARAMETERS: &[Parameter] = &[
    parameter(
        "scale",
        "std",
        "std: divide by the population deviation of the initial rollouts, or of the branches; none",
    ),
    parameter("eps", "1e-6", "added to the deviation"),
    parameter("scale_discount", "0.9", "per token before a split, of what the split adds to a reward"),
];

/// APPO: initial rollouts are compared with each other, and branches with each other, `a = (R - mean) / (std + eps)`.
/// An initial rollout gets its own `a` on all tokens, and up to each split the mean `a` of the branches that share
/// the token. Branches have no advantage and are not trained on.
///
/// `R` is the sum of `token_scaled_rewards`: each token's reward of an initial rollout times the mean over its
/// branches of `1 + score / max(score) d^(split - t)` up to the split, 1 after it; scores that are not positive, and
/// branches without one, scale nothing. Without token rewards the outcome is at the last token.
pub const APPO: Recipe = Recipe {
    name: "appo",
    title: "initial rollouts and branches in groups of their own; splits reward what led to them",
    citation: "APPO: Agentic Procedural Policy Optimization, arXiv 2606.12384; compute_appo_advantage, apply_appo_reward_scale_M",
    family: "trees",
    objective: ("appo", &[]),
    formula: "A_t = a + mean(a of the branches that split at or after t), a = normalize(R, by(group, is branch))",
    fidelity: Fidelity::Reference,
    deviations: "a branch without its split is left out, one without a score scales nothing",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let score = || signal("branch_score").null_if(is_branch().negated());
        let lost = is_branch().and(signal("split_token").is_null());
        let rewards = || if_present(signal("token_rewards"), signal("reward").at_last(TOKEN));
        let best = maximum(score(), batch());
        let share = when(best.clone().greater(0.0), score().max(0.0) / best, 0.0);
        let added = at_split(share).recur(parameters.number("scale_discount")?).over(all());
        let branches = send(value(1.0), parent(), None, Reduction::Sum);
        let scale = 1.0 + (added / branches).or_else(0.0);
        let by = group().and(is_branch());
        let norm = Norm {
            center: Center::Mean(by.clone()),
            scale: match parameters.text("scale")? {
                "std" => Scale::Std(by),
                "none" => Scale::None,
                _ => return Err(parameters.unknown("scale", &["std", "none"])),
            },
            ddof: 0,
            ..Norm::group_std(parameters.number("eps")?)
        };
        let credit = judged_where(lost.negated(), [rewards()])
            .define("token_scaled_rewards", rewards() * scale)
            .define(
                "scaled_reward",
                signal("token_scaled_rewards").reduce(ROLLOUT, Reduction::Sum).over(all()),
            )
            .define("base_advantages", normalize(signal("scaled_reward"), &norm));
        let to_go = |sent: Expr| at_split(sent).scan(Running::Sum).backward().over(all());
        let of_branches = to_go(signal("base_advantages")) / to_go(value(1.0)).max(1.0);
        let advantage = when(is_branch(), 0.0, signal("base_advantages") + of_branches);
        Ok(credit.advantage(advantage).weights(when(is_branch(), 0.0, 1.0)).into())
    },
    ..ADVANTAGE
};

fn is_branch() -> Expr {
    signal("parent_rollout_id").is_null().negated()
}

/// The parent of a branch that may enter statistics.
fn parent() -> Expr {
    signal("parent_rollout_id").null_if(policy(ROLLOUT).negated())
}

/// The sum of what branches send to the last token that they share with their parent; 0 elsewhere.
fn at_split(sent: Expr) -> Expr {
    let split = signal("split_token").null_if(is_branch().negated());
    send(sent, parent(), Some(split), Reduction::Sum).or_else(0.0)
}

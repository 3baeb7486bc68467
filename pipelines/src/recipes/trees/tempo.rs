//! TEMPO: the group-relative advantage plus the jump in value where a rollout branches off.

use std::sync::Arc;

use meed_operators::Result;
use meed_operators::credit::{
    Credit, Expr, Norm, Running, Scale, Singleton, TOKEN, ZeroStd, all, batch, difference, group, mask, mean,
    members, normalize, rank, signal, std, value, when,
};
use meed_operators::signals::PrefixTree;
use meed_operators::tree::Backup;

use crate::parameters::{Parameter, Parameters, parameter};
use crate::recipe::{Fidelity, Kind, PPO_CLIP, Plan, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter("scale", "std", "std: divide by the group's deviation; none"),
    parameter("eps", "1e-6", "added to the deviation"),
    parameter("ddof", "1", "delta degrees of freedom"),
    parameter(
        "variant",
        "null",
        "null: TEMPO; hepo: the group-relative advantage on the tokens of highest entropy only",
    ),
    parameter("rho", "0.2", "share of tokens that hepo keeps in the batch"),
];

/// TEMPO: `A_t = (r - mean(r) + V(branch) - V(parent branch)) / (std(r) + eps)`, where the jump
/// lands on the first token of a branch of the group's prefix tree, and V is the mean reward of the
/// rollouts that pass.
///
/// After a masked token no branch counts any more, as in the reference. A singleton gets 0, where
/// the released code gives NaN.
pub const TEMPO: Recipe = Recipe {
    name: "tempo",
    title: "group-relative advantage plus value jumps along the prefix tree of the group",
    citation: "arXiv 2509.18314; compute_tempo_outcome_advantage",
    family: "trees",
    kind: Kind::Advantage,
    objective: PPO_CLIP,
    formula: "A = (r - mean(r) + difference(branch_value)) / (std(r) + eps)",
    fidelity: Fidelity::Reference,
    deviations: "a singleton gets 0 where the reference divides by NaN; ties of hepo's entropies are kept in canonical order",
    inputs: &[],
    parameters: &[PARAMETERS],
    plan,
};

fn plan(parameters: &Parameters) -> Result<Plan> {
    let eps = parameters.number("eps")?;
    let ddof = parameters.small("ddof")?;
    let scaled = match parameters.text("scale")? {
        "std" => true,
        "none" => false,
        _ => return Err(parameters.unknown("scale", &["std", "none"])),
    };
    match parameters.text("variant")? {
        "" => {}
        "hepo" => return hepo(parameters, scaled, eps, ddof),
        _ => return Err(parameters.unknown("variant", &["hepo"])),
    }
    let reward = || signal("reward");
    let jump = difference(signal("branch_values"), Some(mean(reward(), group()))).at_first(TOKEN).over(all());
    let environment_before = value(1.0).spread(TOKEN).scan(Running::Count).over(all().only(mask().negated()));
    let jump = when(environment_before.equals(0.0), jump, 0.0);
    let relative = reward() - mean(reward(), group()) + jump;
    let advantage =
        if scaled { relative / (std(reward(), group(), ddof).or_else(0.0) + eps) } else { relative };
    let alone = members(reward(), group()).equals(1.0);
    let credit = Credit::new().advantage(when(alone, 0.0, advantage));
    Ok(Plan {
        operators: vec![Arc::new(PrefixTree { value: "reward".into(), backup: Backup::Leaves })],
        ..credit.into()
    })
}

/// GRPO on the `rho` share of tokens with the highest entropy in the batch, 0 elsewhere. As in the
/// reference, the share is of trainable tokens, but environment tokens compete for it.
fn hepo(parameters: &Parameters, scaled: bool, eps: f64, ddof: u8) -> Result<Plan> {
    let norm = Norm {
        scale: if scaled { Scale::Std(group()) } else { Scale::None },
        ddof,
        zero_std: ZeroStd::Divide,
        singleton: if scaled { Singleton::RawOverOnePlusEps } else { Singleton::Raw },
        ..Norm::group_std(eps)
    };
    let kept: Expr = (members(mask(), batch()) * parameters.number("rho")?).floor();
    let place = rank(signal("token_entropies"), batch(), false).over(all());
    let credit = Credit::new().define("group_advantage", normalize(signal("reward"), &norm));
    Ok(credit.advantage(when(place.less(kept), signal("group_advantage"), 0.0)).into())
}

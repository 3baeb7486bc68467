//! Preplan and anchor: advantages amplified where attention says that a rollout plans or is anchored.

use std::sync::Arc;

use meed_operators::Result;
use meed_operators::credit::{Credit, Expr, Statistic, aggregate, all, rollout, signal, top, value, when};
use meed_operators::signals::{AttentionInfluence, AttentionLookBack};

use crate::inputs::{Input, Of, input, items};
use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::group::{GROUP, group_advantage};
use crate::recipe::{ADVANTAGE, Fidelity, Plan, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter(
        "scheme",
        "coupled",
        "local_chunk: tokens where the look-back distance jumps; global_anchor: tokens that later ones return to; coupled: anchors, sharing with the jump that introduced them",
    ),
    parameter("amplification", "1.5", "factor of the advantage on chosen tokens; 1 is GRPO"),
    parameter("share", "0.4", "share of a rollout's tokens that is chosen, rounded down"),
    parameter("window", "10", "greatest look-back distance, where it is computed here"),
    parameter("nearest", "10", "nearest later token whose attention counts, where it is computed here"),
    parameter("farthest", "100", "farthest such token"),
    parameter("before", "3", "tokens before an anchor among which its introducing jump is looked for"),
    parameter("alpha", "0.5", "share of the amplification that goes from a dominated anchor to that jump"),
    parameter("near_distance", "null", "anchors that look back no farther are dominated; null: the median"),
    parameter("least_jump", "null", "a jump that dominates; null: the least of the top share of jumps"),
];

const INPUTS: &[Input] = &[
    input(
        "token_waad",
        Of::Number,
        "windowed average attention distance; or attention_local instead",
        "the attention judge waad",
    ),
    input(
        "token_fai",
        Of::Number,
        "future attention influence; or attention_global instead",
        "the attention judge fai",
    ),
    items(
        "attention_local",
        Of::Number,
        "flat lower triangle of the mean attention of local heads over prompt and rollout",
        "store it from a forward pass, or have token_waad judged by the attention judge waad",
    ),
    items(
        "attention_global",
        Of::Number,
        "flat lower triangle of the mean attention of global heads over prompt and rollout",
        "store it from a forward pass, or have token_fai judged by the attention judge fai",
    ),
];

/// `A_t = gamma_t A`, with `J_t = |WAAD_t - WAAD_{t+1}|` (0 at the last token) and the top share of a
/// rollout's trainable tokens by `J` (local_chunk) or by FAI (global_anchor) amplified.
///
/// Coupled: an anchor that looks back a short way just after a large jump is dominated by it, and gives
/// `alpha` of its amplification to it. Jumps are between neighbouring tokens, whoever wrote them; of equal
/// jumps the nearest introduces. A token that nothing returns to (FAI 0: the last tokens, short rollouts) is
/// no anchor.
pub const PREPLAN_ANCHOR: Recipe = Recipe {
    name: "preplan_anchor",
    title: "group-relative advantage, amplified where attention shifts or anchors",
    citation: "Li et al. 2025, Attention Illuminates LLM Reasoning, arXiv 2510.13554",
    family: "tokens",
    formula: "A_t = gamma_t * A; gamma_t = amplification where t in top(|WAAD_t - WAAD_{t+1}|) or top(FAI_t), 1 elsewhere",
    fidelity: Fidelity::Reconstructed,
    deviations: "guessed, since the paper leaves them open: near_distance (median), least_jump (top share of jumps), alpha and before (those of a re-implementation), coupled as the default",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS, GROUP],
    plan,
    ..ADVANTAGE
};

fn plan(parameters: &Parameters) -> Result<Plan> {
    let share = parameters.number("share")?;
    let gain = parameters.number("amplification")? - 1.0;
    let waad = || signal("token_waad");
    let jump = (waad() - waad().shift(-1, None).over(all())).abs().or_else(0.0);
    let jumps = Credit::new().define("token_jumps", jump.null_if(waad().is_null()));
    let anchors = top(signal("token_fai"), share, rollout()).and(signal("token_fai").greater(0.0));
    let chosen = |condition: Expr| when(condition, gain, 0.0);
    let look_back = AttentionLookBack { window: count(parameters, "window")? };
    let influence = AttentionInfluence {
        nearest: count(parameters, "nearest")?,
        farthest: count(parameters, "farthest")?,
    };
    let mut plan = Plan::default();
    let scheme = parameters.text("scheme")?;
    if scheme != "global_anchor" {
        plan.operators.push(Arc::new(look_back));
    }
    if scheme != "local_chunk" {
        plan.operators.push(Arc::new(influence));
    }
    let (credit, extra) = match scheme {
        "local_chunk" => (jumps, chosen(top(signal("token_jumps"), share, rollout()))),
        "global_anchor" => (Credit::new(), chosen(anchors)),
        "coupled" => {
            let credit = coupled(parameters, jumps.define("anchors", anchors))?;
            let alpha = parameters.number("alpha")?;
            let own = chosen(signal("anchors")) * when(signal("dominated"), 1.0 - alpha, 1.0);
            (credit, own + alpha * chosen(signal("introducing")))
        }
        _ => return Err(parameters.unknown("scheme", &["local_chunk", "global_anchor", "coupled"])),
    };
    plan.credit = credit
        .define("token_gamma", 1.0 + extra)
        .define("group_advantage", group_advantage(parameters, signal("reward"))?)
        .advantage(signal("token_gamma") * signal("group_advantage"));
    Ok(plan)
}

/// Which anchors are dominated by the greatest of the jumps just before them, and which jumps those are.
fn coupled(parameters: &Parameters, mut credit: Credit) -> Result<Credit> {
    let (jumps, waad) = (|| signal("token_jumps"), || signal("token_waad"));
    let near = match parameters.optional_number("near_distance")? {
        Some(distance) => value(distance),
        None => aggregate(Statistic::Median, waad(), rollout()),
    };
    let least = match parameters.optional_number("least_jump")? {
        Some(jump) => value(jump),
        None => aggregate(Statistic::Quantile(1.0 - parameters.number("share")?), jumps(), rollout()),
    };
    let before = i64::from(parameters.small("before")?);
    // No jump is negative: -1 stands for none.
    let earlier = |back: i64| jumps().shift(back, Some(value(-1.0))).over(all()).or_else(-1.0);
    let greatest = (1..=before).map(earlier).fold(value(-1.0), |greatest, jump| greatest.max(jump));
    credit = credit.define("token_greatest_jumps", greatest);
    let greatest = || signal("token_greatest_jumps");
    let dominated = signal("anchors").and(waad().at_most(near)).and(greatest().at_least(least));
    credit = credit.define("dominated", dominated.and(greatest().at_least(0.0)));
    let never = || value(0.0).equals(1.0);
    let mut introducing = never();
    let mut nearer = never();
    for back in 1..=before {
        let here = earlier(back).equals(greatest());
        let first = signal("dominated").and(here.clone()).and(nearer.clone().negated());
        nearer = nearer.or(here);
        introducing = introducing.or(first.shift(-back, Some(never())).over(all()).or_else(never()));
    }
    Ok(credit.define("introducing", introducing))
}

fn count(parameters: &Parameters, name: &str) -> Result<usize> {
    parameters
        .get(name)
        .as_u64()
        .and_then(|count| usize::try_from(count).ok())
        .ok_or_else(|| parameters.unknown(name, &["a whole number of tokens"]))
}

//! Reinforcement decomposed: from right rollouts only, from wrong ones only, or from both with weights.

use meed_operators::Result;
use meed_operators::credit::{Credit, signal, when};

use crate::parameters::{Parameter, Parameters, parameter};
use crate::parts::returns::{RETURNS, passing, terminal};
use crate::recipe::{Fidelity, Plan, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter(
        "variant",
        "nsr",
        "nsr: wrong rollouts only, at -1; psr: right ones only, at 1; w_reinforce: both, right ones at positive_weight",
    ),
    parameter("positive_weight", "0.1", "w_reinforce: weight of right rollouts; the released default is 1"),
];

/// NSR, PSR and W-REINFORCE: without a baseline, right rollouts (reward 1) get their return and wrong
/// ones (reward 0) their return less 1.
///
/// Rollouts that a variant leaves out have weight 0. W-REINFORCE gives rewards other than 0 and 1 their
/// plain return; the other variants leave them out. The reference starts the return anew before
/// environment tokens, so that right rollouts lose their credit there (`masked_tokens=reset`).
pub const NSR: Recipe = Recipe {
    name: "nsr",
    title: "negative, positive or weighted reinforcement without a baseline",
    citation: "The Surprising Effectiveness of Negative Reinforcement; TianHongZXY/RLVR-Decomposed compute_psr_nsr_outcome_advantage",
    family: "outcome",
    formula: "A = lambda R where r = 1, R - 1 where r = 0, R = sum_k gamma^k r_{t+k}",
    fidelity: Fidelity::Reference,
    deviations: "environment tokens are no steps of the return, where the reference resets it; rows are not dropped to a multiple of the world size",
    parameters: &[PARAMETERS, RETURNS],
    plan,
    ..crate::recipe::ADVANTAGE
};

fn plan(parameters: &Parameters) -> Result<Plan> {
    let (right, wrong) = (|| signal("reward").equals(1.0), || signal("reward").equals(0.0));
    let returns = || signal("returns");
    let to_go = passing(parameters)?
        .return_to_go(terminal(parameters, signal("reward"))?, parameters.number("gamma")?);
    let credit = Credit::new().returns(to_go);
    let only = |kept| when(kept, 1.0, 0.0);
    Ok(match parameters.text("variant")? {
        "nsr" => credit.advantage(returns() - 1.0).weights(only(wrong())),
        "psr" => credit.advantage(returns()).weights(only(right())),
        "w_reinforce" => {
            let weighted = parameters.number("positive_weight")? * returns();
            credit.advantage(when(right(), weighted, when(wrong(), returns() - 1.0, returns())))
        }
        _ => return Err(parameters.unknown("variant", &["nsr", "psr", "w_reinforce"])),
    }
    .into())
}

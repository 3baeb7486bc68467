//! POAD: generalised advantage estimation that discounts between actions and not inside them.

use meed_operators::credit::{TOKEN, signal, trainable, when};

use crate::inputs::{Input, Of, input};
use crate::parameters::{Parameter, parameter};
use crate::parts::dense::discounted_gae;
use crate::parts::episodes::{STEP_DONES, bootstrap, unless_done};
use crate::parts::steps::{judged, on_tokens, step_ends};
use crate::parts::whitening::standardised;
use crate::recipe::{ADVANTAGE, Fidelity, Recipe};

const INPUTS: &[Input] = &[
    input(
        "token_values",
        Of::Number,
        "value estimate of a critic before the token",
        "the critic of the run; import rollouts that carry it",
    ),
    STEP_DONES,
    input(
        "bootstrap_value",
        Of::Number,
        "value of the first token after the last action; without the column 0",
        "the critic of the run, where a rollout was cut off; import it",
    ),
];

const PARAMETERS: &[Parameter] = &[
    parameter(
        "backup",
        "poad",
        "poad: no discount inside an action; ntpo: gamma at every token; archer: gamma at every token, and an action's last token looks at the last token of the next",
    ),
    parameter("gamma", "0.95", "discount between actions"),
    parameter("lam", "0.95", "lambda"),
    parameter("eps", "1e-8", "added to the population deviation over the trainable tokens of the batch"),
];

/// POAD: over the tokens of actions `delta = V_next - V` inside an action, `delta = r + gamma V_next - V` at its
/// last token, `A = delta + c lambda A_next` with `c = 1` inside and `gamma` at the last; then standardised.
///
/// Where an episode ends inside a rollout, neither value nor trace crosses. The reference leaves advantages that
/// are exactly 0 out of the standardisation, as if they were padding; here every trainable token counts.
pub const POAD: Recipe = Recipe {
    name: "poad",
    title: "generalised advantage estimation without a discount inside actions",
    citation: "Wen et al. 2024, POAD, arXiv 2405.15821; morning9393/ADRL batch_process_tppo",
    family: "turns",
    objective: ("poad", &[]),
    formula: "delta_j = V_{j+1} - V_j inside an action, r + gamma (1 - done) V_next - V at its end; A_j = delta_j + c_j lambda A_{j+1}",
    fidelity: Fidelity::Reference,
    deviations: "trainable tokens whose advantage is exactly 0 count in the standardisation",
    inputs: &[INPUTS],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        let (gamma, lam) = (parameters.number("gamma")?, parameters.number("lam")?);
        let eps = parameters.number("eps")?;
        let values = || signal("token_values");
        let is_end = || step_ends().equals(1.0);
        let across = || on_tokens(unless_done(gamma), gamma);
        let inside = match parameters.text("backup")? {
            "poad" => 1.0,
            "ntpo" | "archer" => gamma,
            _ => return Err(parameters.unknown("backup", &["poad", "ntpo", "archer"])),
        };
        let rewards = signal("step_rewards").at_last(TOKEN);
        let after = || bootstrap(signal("bootstrap_value"));
        let discount = when(is_end(), across(), inside);
        let advantage = if parameters.text("backup")? == "archer" {
            let ends = || trainable().only(is_end());
            let next = values().shift(-1, Some(after()));
            let next = when(is_end(), values().shift(-1, Some(after())).over(ends()), next);
            let delta = rewards + discount.clone() * next - values();
            delta.recur(lam * discount)
        } else {
            discounted_gae(rewards, values(), after(), discount, lam, trainable())
        };
        let credit = judged([signal("step_rewards"), unless_done(gamma), values()])
            .define("token_raw_advantages", advantage);
        let raw = || signal("token_raw_advantages");
        Ok(credit.returns(raw() + values()).advantage(standardised(raw(), 0, eps)).into())
    },
    ..ADVANTAGE
};

//! Step returns, normalised over all steps of the group.

use meed_operators::credit::{Credit, Norm, Scale, Singleton, normalize, return_to_go, signal};

use crate::parameters::{Parameter, parameter};
use crate::recipe::{Fidelity, Kind, Recipe};

const PARAMETERS: &[Parameter] = &[
    parameter("gamma", "1.0", "discount per policy step"),
    parameter("center", "group_mean over steps", "what is subtracted"),
    parameter("scale", "group_std over steps", "group_std over steps, or none"),
    parameter("ddof", "1", "delta degrees of freedom"),
    parameter("eps", "1e-6", "added to the deviation"),
];

/// Step REINFORCE: `A = normalize(return(step rewards), by(group))`, counted over steps.
pub const STEP_REINFORCE: Recipe = Recipe {
    name: "step_reinforce",
    title: "discounted step returns, normalised over the steps of the group",
    citation: "ROLL agentic pipeline, step_reinforce",
    family: "agents",
    kind: Kind::Advantage,
    objective: ("reinforce", &[]),
    formula: "A = (G - mean(G)) / (std(G) + eps) over the policy steps of the group",
    fidelity: Fidelity::Reference,
    deviations: "as ROLL",
    inputs: &[],
    parameters: &[PARAMETERS],
    plan: |parameters| {
        if parameters.text("center")? != "group_mean over steps" {
            return Err(parameters.unknown("center", &["group_mean over steps"]));
        }
        let mut norm = Norm {
            ddof: parameters.small("ddof")?,
            singleton: Singleton::Zero,
            ..Norm::group_std(parameters.number("eps")?)
        };
        match parameters.text("scale")? {
            "group_std over steps" => {}
            "none" => norm.scale = Scale::None,
            _ => return Err(parameters.unknown("scale", &["group_std over steps", "none"])),
        }
        let returns = return_to_go(signal("step_rewards"), parameters.number("gamma")?);
        let credit = Credit::new().define("step_returns", returns);
        Ok(credit.advantage(normalize(signal("step_returns"), &norm)).into())
    },
};
